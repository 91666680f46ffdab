"""Kueue 0.19: an elastic Job changes its size within the quota; what is above it is gated and holds nobody up."""

from collections.abc import Iterator

import pytest

from e2e.controllers.resizing import (
    LIMIT,
    condition,
    delete_by_force,
    no_false_alarm,
    one_round_of,
    patch,
    resize,
    seconds_from_told_to_round,
)
from e2e.eventually import eventually
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import RunningExample

CONTROLLERS = ("kueue",)
JOB = "torchrun-job"
FOR_EVER = Patch("Job", (replace("/spec/template/spec/containers/0/args/6", "--steps=0"),))
MORE = Patch("Rendezvous", (replace("/spec/maxNodes", 8),))
NODES = Patch("Job", (replace("/spec/template/spec/containers/0/args/2", "--nnodes=2:8"),))
CPU_OF_A_POD = 100  # of the example, in thousandths
HELD_UP_SECONDS = 10.0  # generous; a last call is 30 s


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """Four pods behind the queue, which train."""
    with examples.start("kueue", [FOR_EVER, MORE, NODES], rendezvous=JOB) as run:
        try:
            run.wait_for_first_round(4, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "job", "--all")
            run.kubectl("delete", "clusterqueue/training", "resourceflavor/default", "--wait=false")


def set_quota(run: RunningExample, pods: int) -> None:
    """As the administrator: room for that many pods."""
    cpu = f"{pods * CPU_OF_A_POD}m"
    patch(run, "clusterqueue/training", replace("/spec/resourceGroups/0/flavors/0/resources/0/nominalQuota", cpu))


def gated(run: RunningExample) -> list[str]:
    """Pods that Kueue has not let through."""
    pods = run.kubectl.json("-n", run.namespace, "get", "pods")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["spec"].get("schedulingGates")]


def grouped(run: RunningExample) -> bool:
    """Whether the Job's pods are in a PodGroup (gate WorkloadWithJob)."""
    pods = run.kubectl.json("-n", run.namespace, "get", "pods")["items"]
    return any("schedulingGroup" in pod["spec"] for pod in pods)


def test_one_that_shrinks_and_grows_within_its_quota_has_one_round_each(run: RunningExample, figures: Figures) -> None:
    (gone,) = [name for name in run.pods if name.startswith(f"{JOB}-3-")]
    with one_round_of(run, 3, figures, "Kueue's Job shrunk from 4 to 3: until the round", leave=[gone]):
        resize(run, f"job/{JOB}", "/spec", 3)
    with one_round_of(run, 4, figures, "Kueue's Job grown from 3 to 4: until the round"):
        resize(run, f"job/{JOB}", "/spec", 4)
    no_false_alarm(run)


def test_growth_beyond_the_quota_holds_no_survivors_up_and_comes_when_the_quota_is_raised(
    run: RunningExample, figures: Figures
) -> None:
    set_quota(run, 4)
    resize(run, f"job/{JOB}", "/spec", 6)
    eventually(lambda: len(gated(run)) == 2, "two gated pods", LIMIT)
    eventually(lambda: "SchedulingGated" in condition(run, "PodsHeldUp"), "they are named", LIMIT)
    lost = next(member.pod_name for member in run.ranked if member.pod_name.startswith(f"{JOB}-1-"))
    seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, lost))
    figures.add("Kueue's pod deleted beside gated ones: from told to the next round", seconds, "s")
    assert seconds < HELD_UP_SECONDS
    assert run.rendezvous.status.world_size == 3
    # A pod of the waiting growth takes the place; the replacement waits with the rest of it. In a PodGroup the
    # scheduler takes it up only when the gates of all are lifted.
    eventually(lambda: lost not in (now := run.pods) and len(now) == 6, "a replacement: the Job takes its time", LIMIT)
    eventually(lambda: len(gated(run)) == 2, "a pod that is let through", LIMIT)
    if not grouped(run):
        run.wait_for_round(4, LIMIT)
    with one_round_of(run, 6, figures, "Kueue's quota raised: until the round of 6"):
        set_quota(run, 64)
    eventually(lambda: not condition(run, "PodsHeldUp"), "nothing is held up", LIMIT)
    no_false_alarm(run)
