"""`make matrix`: runs the core in every cell, and writes docs/matrix.json."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rendezvous_matrix.cells import TOP, all_cells
from rendezvous_matrix.outcomes import RESULT_FILE, Colour, Outcome, read_results
from rendezvous_matrix.running import Ground, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if a cell that ran is red."""
    cells = all_cells()
    parser = argparse.ArgumentParser(
        prog="make matrix",
        description="Runs the integration core with each supported version of everything, 2 to 4 minutes each, once for"
        " cells that are the same; builds the API servers (4 minutes each) and the environments the first time, into"
        " the cache.",
    )
    parser.add_argument(
        "cells",
        nargs="*",
        metavar="CELL",
        help=f"only these, by the start of the name: {', '.join(c.name for c in cells)}",
    )
    wanted = parser.parse_args(arguments).cells
    chosen = [cell for cell in cells if not wanted or any(cell.name.startswith(start) for start in wanted)]
    if not chosen:
        parser.error("no cell has such a name")
    logs = TOP / "build" / "matrix"
    logs.mkdir(parents=True, exist_ok=True)
    red = False
    known: dict[Ground, Outcome] = {}
    for cell in chosen:
        log = logs / f"{cell.name}.log"
        commit = _commit()
        outcome = replace(run(cell, log, known=known), commit=commit, date=f"{datetime.now(UTC):%Y-%m-%d}")
        red |= outcome.colour is Colour.RED
        detail = (
            outcome.why or f"{outcome.tests} passed, {len(outcome.failed)} failed, {outcome.skipped} skipped: {log}"
        )
        sys.stderr.write(f"{cell.name}: {outcome.colour}: {detail}\n")
        # After each, so that a run that is ended has not been for nothing.
        read_results().updated([outcome], cells).write()
    sys.stderr.write(f"{RESULT_FILE.relative_to(TOP)} written; `make generate` makes the table of it\n")
    return 1 if red else 0


def _commit() -> str:
    command = ["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
