"""`make soak`: random deaths, deletions, departures, arrivals, operator restarts and a lying proxy, with real handlers.

    python -m soak --minutes 30 | --hours 24 [--seed S] [--members 16] [--json FILE] [--picture FILE]

Every ten minutes it says what memory, descriptors and threads there are; after the first hour none of the two
processes may grow by more than 2 %.
The API server and the operator are real too. Exit status 1 if an invariant was broken, a member hung, or anything is
left over; 130 after Ctrl-C, with what was seen until then.
"""

import argparse
import json
import logging
import random
import sys
from pathlib import Path

from rendezvous_local.supervised import run_supervised
from soak.readings import draw, worded
from soak.report import as_json, progress, summary
from soak.run import FEWEST, Account
from soak.site import soak


def main(arguments: list[str] | None = None) -> int:
    """Soak, tell, judge."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition("\n\n")[0])
    long = parser.add_mutually_exclusive_group()
    long.add_argument("--minutes", type=float, default=30.0, help="default: %(default)s")
    long.add_argument("--hours", type=float, help="the same in hours")
    parser.add_argument("--seed", type=int, help="what a failed soak printed, to do the same again (default: random)")
    parser.add_argument("--members", type=int, default=16, help="places for members (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the readings there (needs matplotlib)")
    options = parser.parse_args(arguments)
    if options.members <= FEWEST:
        parser.error(f"--members must be above {FEWEST}: so many always live, so that a round can stand")
    # One process plays many nodes: what each of them says about it is not the news.
    for name in ("urllib3.connectionpool", "kube_rendezvous"):
        logging.getLogger(name).setLevel(logging.ERROR)
    seed = random.randrange(2**32) if options.seed is None else options.seed
    account = Account(seed, options.members)
    minutes = options.minutes if options.hours is None else 60 * options.hours
    sys.stderr.write(f"soaking {options.members} members for {minutes:g} minutes, seed {seed}\n")
    interrupted = False
    log = ""
    try:
        log = soak(account, minutes * 60, _Told())
    except KeyboardInterrupt:  # everything has been taken down on the way here
        interrupted = True
    sys.stdout.write(summary(account) + "\n")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(as_json(account), indent=2) + "\n")
    if options.picture is not None and account.readings:
        draw(account.readings, options.picture)
    if account.violations:
        sys.stdout.write(f"The end of the operator's log:\n{log}\n\nThe same again: python -m soak --seed {seed}\n")
        return 1
    return 130 if interrupted else 0


class _Told:
    """Says each quiet point and each new reading, once."""

    def __init__(self) -> None:
        self._readings = 0

    def __call__(self, account: Account) -> None:
        sys.stderr.write(progress(account) + "\n")
        for reading in account.readings[self._readings :]:
            sys.stderr.write(worded(reading) + "\n")
        self._readings = len(account.readings)


if __name__ == "__main__":
    run_supervised(main)
