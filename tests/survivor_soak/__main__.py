"""`make soak-survivors`: random schedules of losses, stops and arrivals on trainers that keep their processes.

    python -m survivor_soak --schedules 500 [--first SEED] [--engine re-init]

Launchers, workers, operator and API server are real. Schedule N is made from seed N: `--first N --schedules 1` does it
again. Exit status 1 if anything was wrong; 130 after Ctrl-C, with what was seen until then.
"""

import argparse
import random
import sys

from rendezvous_local.supervised import run_supervised
from survivor_soak.report import summary
from survivor_soak.site import soak
from survivor_soak.soak import Account


def main(arguments: list[str] | None = None) -> int:
    """Soak, tell, judge."""
    parser = argparse.ArgumentParser(prog="survivor_soak", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--schedules", type=int, default=500, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, help="seed of the first one; the others follow (default: random)")
    parser.add_argument("--engine", default="auto", help="reconfigure, re-init or auto (default: %(default)s)")
    options = parser.parse_args(arguments)
    first = random.randrange(2**32) if options.first is None else options.first
    account = Account()
    interrupted = False
    try:
        soak(range(first, first + options.schedules), account, _tell, options.engine)
    except KeyboardInterrupt:  # everything has been taken down on the way here
        interrupted = True
    sys.stdout.write(summary(account) + "\n")
    if account.violations:
        return 1
    return 130 if interrupted else 0


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    run_supervised(main)
