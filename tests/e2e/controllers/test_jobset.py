"""JobSet 0.12: elastic ones change their size, restarts in place keep pods, addresses and ranks."""

from collections.abc import Iterator

import pytest

from e2e.controllers.resizing import (
    LIMIT,
    delete_by_force,
    no_false_alarm,
    one_round_of,
    ranks_by_pod,
    resize,
    seconds_from_told_to_round,
)
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import RunningExample

CONTROLLERS = ("jobset",)
WORKERS = "/spec/replicatedJobs/1/template/spec"
FOR_EVER = Patch(
    "JobSet",
    tuple(
        replace(f"/spec/replicatedJobs/{number}/template/spec/template/spec/containers/0/args/7", "--steps=0")
        for number in (0, 1)
    ),
)


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """A leader and two workers, which train."""
    with examples.start("jobset", [FOR_EVER]) as run:
        try:
            run.wait_for_first_round(3, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "jobset", "--all", "--ignore-not-found")


def test_one_that_shrinks_and_grows_has_one_round_each(run: RunningExample, figures: Figures) -> None:
    gone = [name for name in run.pods if "workers-0-1" in name]
    with one_round_of(run, 2, figures, "JobSet shrunk from 3 to 2: until the round", leave=gone):
        resize(run, "jobset/jobset", WORKERS, 1)
    with one_round_of(run, 3, figures, "JobSet grown from 2 to 3: until the round"):
        resize(run, "jobset/jobset", WORKERS, 2)
    assert [slot for slot, _ in ranks_by_pod(run)] == ["leader-0", "workers-0", "workers-1"]
    no_false_alarm(run)


def test_a_lost_pod_moves_nobody_who_stays_and_its_replacement_has_its_slot(
    run: RunningExample, figures: Figures
) -> None:
    lost = next(pod for slot, pod in ranks_by_pod(run) if slot == "workers-0")
    seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, lost))
    figures.add("JobSet's pod deleted: from told to the next round", seconds, "s")
    stay = [one for one in ranks_by_pod(run) if one[0] != "workers-0"]
    run.wait_for_round(3, LIMIT)
    assert [one for one in ranks_by_pod(run) if one[0] != "workers-0"] == stay
    assert sorted(slot for slot, _ in ranks_by_pod(run)) == ["leader-0", "workers-0", "workers-1"]
    no_false_alarm(run)
