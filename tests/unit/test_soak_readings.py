"""Growth of a long soak is judged after the first hour, and each process by its own life."""

import os
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from soak import counting
from soak.readings import Reading, draw, due, growth_after_settling

FIRST = Reading(600.0, 60.0, 300.0, 600.0, 40, 30, 100, 20, 2.0)


def readings(*sizes: tuple[float, float]) -> list[Reading]:
    return [
        replace(FIRST, seconds=600.0 * at, operator_age=600.0 * at, operator_mib=operator, client_mib=client)
        for at, (operator, client) in enumerate(sizes, 1)
    ]


def test_what_grows_in_the_first_hour_only_is_no_leak() -> None:
    assert growth_after_settling(readings((40, 200), (50, 250), (60, 300), *[(61, 301)] * 9)) == []


def test_more_than_two_percent_afterwards_is_said_of_each_process() -> None:
    operator, members = growth_after_settling(readings(*[(60, 300)] * 6, (61, 303), (61.5, 307)))
    assert "the operator grew from 60.0 to 61.5 MiB" in operator
    assert "members grew from 300.0 to 307.0 MiB" in members


def test_an_operator_that_was_restarted_is_judged_from_its_own_first_hour() -> None:
    young = [replace(reading, operator_age=60.0) for reading in readings(*[(50, 300)] * 8)]
    assert growth_after_settling([*young, replace(FIRST, seconds=9000.0, operator_age=5000.0, operator_mib=60.0)]) == []


@pytest.mark.parametrize(("taken", "seconds", "is_due"), [(0, 599.0, False), (0, 600.0, True), (1, 1100.0, False)])
def test_a_reading_is_due_every_ten_minutes(taken: int, seconds: float, is_due: bool) -> None:
    assert due([FIRST] * taken, seconds) is is_due


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw(readings((60, 300), (61, 301)), tmp_path / "new" / "soak.png")
    assert (tmp_path / "new" / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_the_log_of_memory_does_not_grow_and_keeps_beginning_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, sizes = count(), count(1)
    monkeypatch.setattr(counting.time, "monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(counting, "resident_mib", lambda _: float(next(sizes)))
    monkeypatch.setattr(counting, "MOST_SAMPLES", 10)
    log = counting.MemoryLog()
    for looks in range(1, 101):
        log.look(os.getpid())
        assert len(log.samples) <= 10
        assert (log.samples[-1].mib, log.most) == (looks, looks)
    assert log.samples[0].age < 20
    assert log.samples == sorted(log.samples, key=lambda sample: sample.age)
