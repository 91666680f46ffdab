"""Kubeflow's training operator 1.9: a PyTorchJob of workers only, whose lost pod comes back and whose size follows."""

from collections.abc import Iterator

import pytest

from e2e.controllers.resizing import (
    LIMIT,
    delete_by_force,
    no_false_alarm,
    one_round_of,
    patch,
    ranks_by_pod,
    seconds_from_told_to_round,
)
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import RunningExample

CONTROLLERS = ("training-operator",)
NAME = "kubeflow-pytorchjob"
WORKERS = "/spec/pytorchReplicaSpecs/Worker"
FOR_EVER = Patch("PyTorchJob", (replace(f"{WORKERS}/template/spec/containers/0/args/6", "--steps=0"),))


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """Four workers, which train."""
    with examples.start(NAME, [FOR_EVER]) as run:
        try:
            run.wait_for_first_round(4, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "pytorchjob", "--all")


def worker(index: int) -> str:
    """What the training operator calls its pod."""
    return f"{NAME}-worker-{index}"


def test_a_lost_pod_moves_nobody_who_stays_and_its_replacement_has_its_slot(
    run: RunningExample, figures: Figures
) -> None:
    full = ranks_by_pod(run)
    assert full == [(str(index), worker(index)) for index in range(4)]
    seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, worker(2)))
    figures.add("PyTorchJob's pod deleted: from told to the next round", seconds, "s")
    stay = [one for one in ranks_by_pod(run) if one[1] != worker(2)]
    run.wait_for_round(4, LIMIT)
    assert [one for one in ranks_by_pod(run) if one[1] != worker(2)] == stay
    assert sorted(ranks_by_pod(run)) == full
    no_false_alarm(run)


def test_one_that_shrinks_and_grows_has_one_round_each(run: RunningExample, figures: Figures) -> None:
    run.follow_anew(worker(2))
    with one_round_of(run, 3, figures, "PyTorchJob shrunk from 4 to 3: until the round", leave=[worker(3)]):
        patch(run, f"pytorchjob/{NAME}", replace(f"{WORKERS}/replicas", 3))
    with one_round_of(run, 4, figures, "PyTorchJob grown from 3 to 4: until the round"):
        patch(run, f"pytorchjob/{NAME}", replace(f"{WORKERS}/replicas", 4))
    no_false_alarm(run)
