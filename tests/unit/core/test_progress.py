"""Progress alone may wait; everything else is written at once."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Closed, RendezvousStatus
from kube_rendezvous_core import only_progress, progress_every
from unit.core.builders import NOW, at, crowd, outcome, rendezvous, round_of, told


def test_one_more_arrival_is_only_progress() -> None:
    before = rendezvous(min_nodes=4, max_nodes=8)
    first = outcome(before, crowd("a"))
    second = outcome(replace(before, status=first), crowd("a b"), 1)
    assert first != second
    assert only_progress(first, second)


def test_last_call_is_more_than_progress() -> None:
    first = outcome(rendezvous(), crowd("a"))
    assert not only_progress(first, outcome(rendezvous(first), crowd("a b"), 1))


def test_a_published_round_is_more_than_progress() -> None:
    first = outcome(rendezvous(), crowd("a b"))
    assert not only_progress(first, outcome(rendezvous(first), crowd("a b c d"), 1))


@pytest.mark.parametrize(
    ("change", "may_wait"),
    [
        ({"standby": 2}, True),
        ({"forming": told(arrived=2, waiting_for=("b",))}, True),
        ({"forming": told(interrupts=False)}, False),
        ({"forming": told(deadline=at(3))}, False),
        ({"forming": None}, False),
        ({"closed": Closed("a", NOW, "ClosedByMember", "done")}, False),
        ({"heartbeat_seconds": 10}, False),
        ({"observed_generation": 2}, False),
    ],
)
def test_what_may_wait(change: dict[str, Any], may_wait: bool) -> None:
    before: RendezvousStatus = round_of("a b", forming=told())
    assert only_progress(before, replace(before, **change)) is may_wait


@pytest.mark.parametrize(
    ("ranked", "arrived", "seconds"), [(0, 8, 1.0), (8, 2, 1.0), (250, 0, 1.0), (0, 1000, 4.0), (10_000, 17, 15.0)]
)
def test_progress_is_told_the_more_rarely_the_more_it_is_told_to(ranked: int, arrived: int, seconds: float) -> None:
    names = " ".join(f"m{number}" for number in range(ranked))
    assert progress_every(round_of(names or "a", forming=told(arrived=arrived))) == seconds
