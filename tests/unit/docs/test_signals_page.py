"""The table of signals names tests that are there, for each row at least one on a real API server."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
ROWS = [line for line in (TOP / "docs" / "signals.md").read_text().splitlines() if line.startswith("| ")][1:]


def named_in(row: str) -> list[str]:
    """Paths in its last column."""
    return re.findall(r"`(tests/[\w/.]+)`", row.rstrip(" |").rpartition("|")[2])


def test_there_is_a_table() -> None:
    assert len(ROWS) > 10


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:40] for row in ROWS])
def test_each_signal_is_proven_on_the_real_thing(row: str) -> None:
    named = named_in(row)
    assert named, "no test is named"
    assert not [name for name in named if not (TOP / name).exists()]
