"""LeaderWorkerSet 0.8: groups of leader and worker are one run, scaled by groups; each pod has a slot of its own."""

from collections.abc import Iterator

import pytest

from e2e.controllers.resizing import (
    LIMIT,
    delete_by_force,
    no_false_alarm,
    one_round_of,
    ranks_by_pod,
    seconds_from_told_to_round,
)
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import RunningExample

CONTROLLERS = ("lws",)
NAME = "leaderworkerset"


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """Two groups of two, which train."""
    with examples.start(NAME) as run:
        try:
            run.wait_for_first_round(4, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "lws", "--all")


def scale(run: RunningExample, groups: int) -> None:
    """As the example says."""
    run.kubectl("-n", run.namespace, "scale", "lws", NAME, f"--replicas={groups}")


def test_each_pod_has_a_slot_of_its_own_which_a_replaced_worker_gets_again(
    run: RunningExample, figures: Figures
) -> None:
    full = ranks_by_pod(run)
    assert full == [("0-0", f"{NAME}-0"), ("0-1", f"{NAME}-0-1"), ("1-0", f"{NAME}-1"), ("1-1", f"{NAME}-1-1")]
    seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, f"{NAME}-0-1"))
    figures.add("LeaderWorkerSet's worker deleted: from told to the next round", seconds, "s")
    run.wait_for_round(4, LIMIT)
    assert sorted(ranks_by_pod(run)) == full
    no_false_alarm(run)


def test_one_that_grows_and_shrinks_by_a_group_has_one_round_each(run: RunningExample, figures: Figures) -> None:
    run.follow_anew(f"{NAME}-0-1")
    with one_round_of(run, 6, figures, "LeaderWorkerSet grown from 2 to 3 groups: until the round"):
        scale(run, 3)
    gone = [f"{NAME}-2", f"{NAME}-2-1"]
    with one_round_of(run, 4, figures, "LeaderWorkerSet shrunk from 3 to 2 groups: until the round", leave=gone):
        scale(run, 2)
    no_false_alarm(run)
