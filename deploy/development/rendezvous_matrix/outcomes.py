"""What came of a cell, and the file that keeps it: docs/matrix.json, from which the table of the site is made."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rendezvous_matrix.cells import TOP, Cell

RESULT_FILE = TOP / "docs" / "matrix.json"


class Colour(StrEnum):
    """Of a cell."""

    GREEN = "passed"
    RED = "failed"
    GREY = "not run"


@dataclass(frozen=True)
class Outcome:
    """Of one cell.

    Attributes:
        axis, value: The cell's.
        version: What really ran, as in ``1.31.14``; empty if nothing did.
        colour: Green, red or grey.
        tests: How many tests passed.
        skipped: How many were left out there.
        failed: The tests that did not pass.
        why: Why nothing ran; empty if something did.
        commit: What was tested.
        date: When, as in 2026-05-04.
    """

    axis: str
    value: str
    version: str
    colour: Colour
    tests: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    why: str = ""
    commit: str = ""
    date: str = ""

    @property
    def cell(self) -> Cell:
        """Which cell it is of."""
        return Cell(self.axis, self.value)


@dataclass(frozen=True)
class Results:
    """The file.

    Attributes:
        outcomes: In the order of the table.
    """

    outcomes: tuple[Outcome, ...] = ()

    def updated(self, new: Iterable[Outcome], order: Iterable[Cell]) -> "Results":
        """With newer outcomes in the place of those of the same cells; cells that are no more go."""
        known = {outcome.cell: outcome for outcome in (*self.outcomes, *new)}
        return Results(tuple(known[cell] for cell in order if cell in known))

    def write(self, file: Path = RESULT_FILE) -> None:
        """Write the file."""
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read_results(file: Path = RESULT_FILE) -> Results:
    """Read the file; nothing has been run if there is none."""
    if not file.exists():
        return Results()
    content: dict[str, Any] = json.loads(file.read_text())
    outcomes = tuple(
        Outcome(**{**one, "colour": Colour(one["colour"]), "failed": tuple(one["failed"])})
        for one in content["outcomes"]
    )
    return Results(outcomes)
