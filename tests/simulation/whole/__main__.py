"""Replay: `python -m simulation.whole --seed N` prints a trace; `--seeds A:B` runs many and prints those that fail."""

import argparse
import sys

from simulation.whole.invariants import BrokenError
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import Scenario, fails


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation.whole", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="run one scenario and print all that happens")
    which.add_argument("--seeds", help="A:B, run the scenarios A to B - 1")
    parser.add_argument("--fault", type=Fault, action="append", default=[], help="break this: " + ", ".join(Fault))
    asked = parser.parse_args()
    faults = frozenset(asked.fault)
    if asked.seed is not None:
        try:
            Scenario(asked.seed, faults, _print).run()
        except BrokenError as broken:
            sys.stdout.write(f"BROKEN: {broken}\n")
            return 1
        return 0
    first, last = map(int, asked.seeds.split(":"))
    bad = 0
    for seed in range(first, last):
        if text := fails(seed, faults):
            bad += 1
            sys.stdout.write(f"seed {seed}: {text}\n")
    sys.stdout.write(f"{last - first} scenarios, {bad} broken\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
