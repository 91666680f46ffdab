"""Kubeflow Trainer 2.3: a runtime that declares the rendezvous; numNodes of a TrainJob is fixed, its JobSet is not."""

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

CONTROLLERS = ("trainer",)
NAME = "kubeflow-trainjob"
NODE = "/spec/replicatedJobs/0/template/spec"
FOR_EVER = Patch(
    "ClusterTrainingRuntime",
    (replace(f"/spec/template{NODE}/template/spec/containers/0/args/6", "--steps=0"),),
)


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """Four nodes, which train."""
    with examples.start(NAME, [FOR_EVER]) as run:
        try:
            run.wait_for_first_round(4, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "trainjob", "--all")
            run.kubectl("delete", "clustertrainingruntime/torchrun-rendezvous", "--wait=false")


def test_a_lost_pod_moves_nobody_who_stays_and_its_replacement_has_its_slot(
    run: RunningExample, figures: Figures
) -> None:
    lost = next(pod for slot, pod in ranks_by_pod(run) if slot == "2")
    seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, lost))
    figures.add("TrainJob's pod deleted: from told to the next round", seconds, "s")
    stay = [one for one in ranks_by_pod(run) if one[0] != "2"]
    run.wait_for_round(4, LIMIT)
    assert [one for one in ranks_by_pod(run) if one[0] != "2"] == stay
    assert sorted(slot for slot, _ in ranks_by_pod(run)) == ["0", "1", "2", "3"]
    no_false_alarm(run)


def test_its_number_of_nodes_cannot_be_changed(run: RunningExample) -> None:
    refused = run.kubectl.try_(
        *("-n", run.namespace, "patch", "trainjob", NAME, "--type=merge", "-p", '{"spec":{"trainer":{"numNodes":3}}}')
    )
    assert refused.returncode != 0
    assert "immutable" in refused.stderr


def test_its_jobset_shrinks_and_grows_with_one_round_each(run: RunningExample, figures: Figures) -> None:
    gone = [name for name in run.pods if "-node-0-3-" in name]
    with one_round_of(run, 3, figures, "TrainJob's JobSet shrunk from 4 to 3: until the round", leave=gone):
        resize(run, f"jobset/{NAME}", NODE, 3)
    with one_round_of(run, 4, figures, "TrainJob's JobSet grown from 3 to 4: until the round"):
        resize(run, f"jobset/{NAME}", NODE, 4)
