"""Many seeds on all cores, or one with all that happens in it.

    python -m simulation.whole --seeds 0:1000000 [--schedule shrinking] [--processes 4]
    python -m simulation.whole --seed 17

Exit status 1 if an invariant was broken: it stops at the first such seed and prints its story; 130 after Ctrl-C.
"""

import argparse
import os
import shlex
import sys
import time
from collections import deque

from simulation.whole.elections import Elections
from simulation.whole.invariants import BrokenError
from simulation.whole.many_seeds import Tally, first_broken
from simulation.whole.neighbourhoods import Neighbourhoods
from simulation.whole.openings import Openings
from simulation.whole.planted_faults import Fault
from simulation.whole.restores import Restores
from simulation.whole.scenario import Scenario, Shortened, Slices
from simulation.whole.shorter_story import Shortener
from simulation.whole.shrinking_intervals import ShrinkingIntervals

SCHEDULES: dict[str, type[Scenario]] = {
    "everything": Scenario,
    "slices": Slices,
    "shrinking": ShrinkingIntervals,
    "elections": Elections,
    "neighbourhoods": Neighbourhoods,
    "openings": Openings,
    "restores": Restores,
}
STORY_LINES = 80
PROGRESS_SECONDS = 10.0


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    try:
        seeds = range(int(first), int(end))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST:END, such as 0:20000") from None
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} holds no seed: END is not one of them")
    return seeds


def _numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for and tell."""
    parser = argparse.ArgumentParser(prog="python -m simulation.whole", description=(__doc__ or "").partition("\n")[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="run one schedule and print all that happens")
    which.add_argument("--seeds", type=_range, metavar="FIRST:END", help="run the schedules FIRST to END - 1")
    parser.add_argument("--schedule", choices=SCHEDULES, default="everything", help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one a core, %(default)s")
    parser.add_argument("--members", type=int, help="with --seed: only so many at first")
    parser.add_argument(
        "--without", type=_numbers, default=frozenset(), help="with --seed: leave these blows out: 1,5,7"
    )
    parser.add_argument("--fault", type=Fault, action="append", default=[], help="break this: " + ", ".join(Fault))
    asked = parser.parse_args(arguments)
    faults, schedule = frozenset(asked.fault), SCHEDULES[asked.schedule]
    if asked.seed is not None:
        return _story(asked.seed, faults, schedule, sys.maxsize, Shortened(asked.members, asked.without))
    began = shown = time.monotonic()

    def tell(tally: Tally) -> None:
        nonlocal shown
        if (now := time.monotonic()) - shown >= PROGRESS_SECONDS:
            shown = now
            sys.stderr.write(_line(tally, now - began, len(asked.seeds)) + "\n")

    tally = Tally()
    try:
        broken = first_broken(asked.seeds, faults, schedule, processes=asked.processes, tally=tally, progress=tell)
    except KeyboardInterrupt:
        sys.stdout.write(_line(tally, time.monotonic() - began, len(asked.seeds)) + "; interrupted, none was broken\n")
        return 130
    sys.stdout.write(_line(tally, time.monotonic() - began, len(asked.seeds)) + "\n")
    if broken is None:
        sys.stdout.write("Nothing was broken\n")
        return 0
    sys.stdout.write(f"seed {broken.seed} is broken: {broken.text}\nIt is being made short …\n")
    short = Shortener(broken.seed, faults, schedule).shortest()
    sys.stdout.write("The end of its shortest story:\n")
    _story(broken.seed, faults, schedule, STORY_LINES, short)
    again = ["python", "-m", "simulation.whole", "--schedule", asked.schedule, "--seed", str(broken.seed)]
    again += [f"--fault={fault}" for fault in faults]
    sys.stdout.write(f"The whole schedule, in tests/: {shlex.join(again)}\n")
    if short.members is not None:
        again.append(f"--members={short.members}")
    if short.without:
        again.append(f"--without={','.join(map(str, sorted(short.without)))}")
    sys.stdout.write(f"The short one, in tests/: {shlex.join(again)}\n")
    return 1


def _line(tally: Tally, seconds: float, wanted: int) -> str:
    rate = tally.schedules / max(seconds, 1e-9)
    return f"{tally.schedules:,} of {wanted:,} schedules, {rate:.0f} a second, {seconds:.0f} s"


def _story(seed: int, faults: frozenset[Fault], schedule: type[Scenario], lines: int, shortened: Shortened) -> int:
    """What happens under one seed, at most its last ``lines`` lines; the exit status."""
    told: deque[str] = deque(maxlen=lines)
    code = 0
    try:
        schedule(seed, faults, told.append, shortened).run()
    except BrokenError as broken:
        told.append(f"BROKEN: {broken}")
        code = 1
    sys.stdout.writelines(f"{line}\n" for line in told)
    return code


if __name__ == "__main__":
    sys.exit(main())
