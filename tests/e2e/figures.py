"""What the end-to-end tests measured: collected through the session, printed as a table, written to a file."""

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Args:
        what: was measured, as a reader of the table is told.
        value, unit: the number.
        limit: what it shall not exceed; None: it is only reported.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def verdict(self) -> str:
        """One word for the table."""
        if self.limit is None:
            return ""
        return "ok" if self.value <= self.limit else "OVER"


@dataclass
class Figures:
    """All numbers of a session, in the order in which they were measured."""

    all: list[Figure] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, limit: float | None = None) -> Figure:
        """Add a number and return it."""
        figure = Figure(what, value, unit, limit)
        self.all.append(figure)
        return figure

    def hold(self, what: str, value: float, unit: str, limit: float) -> None:
        """Add a number, and fail where it is over its limit: what the table prints is what is enforced.

        Raises:
            AssertionError: it is over.
        """
        figure = self.add(what, value, unit, limit)
        assert figure.verdict == "ok", f"{what}: {_short(value)} {unit}, and no more than {_short(limit)} are allowed"

    def table(self) -> list[str]:
        """Lines for a terminal."""
        rows = [("figure", "value", "limit", "")]
        for one in self.all:
            limit = "" if one.limit is None else f"{_short(one.limit)} {one.unit}"
            rows.append((one.what, f"{_short(one.value)} {one.unit}", limit, one.verdict))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return [
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows
        ]

    def write(self, file: Path) -> None:
        """Write them as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        entries = [
            {"what": one.what, "value": one.value, "unit": one.unit, "limit": one.limit, "verdict": one.verdict}
            for one in self.all
        ]
        file.write_text(json.dumps(entries, indent=2) + "\n")


def _short(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:.2f}"
