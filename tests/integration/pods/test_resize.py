"""A pod that is resized in place goes on with its round, whatever the kubelet says of the resize meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects, PodObjects, running, whole_second
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import stand
from integration.pods.test_pods_that_cannot_come import condition
from kube_rendezvous.cluster import ApiFailureError
from kube_rendezvous.membership.identity import Identity

MakeMember = Callable[[Identity], PodMember]

pytestmark = pytest.mark.usefixtures("operator")


def _pending(reason: str) -> Callable[[PodObjects], None]:
    def say(pods: PodObjects) -> None:
        pods.set_condition("trainer-1", "PodResizePending", "True", reason, "Node didn't have enough cpu")

    return say


def _in_progress(pods: PodObjects) -> None:
    pods.set_condition("trainer-1", "PodResizeInProgress", "True", "", "")


def _failing(pods: PodObjects) -> None:
    pods.set_condition("trainer-1", "PodResizeInProgress", "True", "Error", "cannot set the cgroup's limit")


def _report_its_size(pods: PodObjects) -> None:
    """As a kubelet that can resize does: without, the API server lets nobody ask."""
    pod = pods.get("trainer-1")
    resources: dict[str, Any] = pod["spec"]["containers"][0]["resources"]
    state = pod["status"]["containerStatuses"][0]["state"]
    pods.set_container("trainer-1", state, allocatedResources=resources["requests"], resources=resources)


def _done(pods: PodObjects) -> None:
    _report_its_size(pods)
    pods.set_status("trainer-1", conditions=[])


def test_no_round_is_restarted_and_nobody_is_told(
    run: PodRun, pods: PodObjects, nodes: NodeObjects, namespace: str, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=3)
    node = nodes.create(f"worker-of-{namespace}")
    nodes.report_cpu(node, "8")
    members = stand(*(member(pods.run(f"trainer-{n}", "run", node)) for n in range(2)))
    before = run.status
    _report_its_size(pods)
    try:
        pods.resize("trainer-1", cpu="2")
    except ApiFailureError as failure:
        if failure.status == 404:
            pytest.skip("this API server has no pods/resize (Kubernetes before 1.33)")
        raise
    assert pods.get("trainer-1")["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "2"
    for stage in (_pending("Deferred"), _pending("Infeasible"), _in_progress, _failing, _done):
        stage(pods)
    pods.create("trainer-2", "run", gates=["example.com/later"])  # once it is named, all that came before was seen
    after = run.until(lambda now: condition(now, "PodsHeldUp"), "the operator has seen it")
    assert (after.round, after.ranks, after.forming) == (1, before.ranks, None)
    assert not any(one.told for one in members)


def test_a_pod_that_is_resized_before_it_joins_is_waited_for_and_not_held_up(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=2)
    first = member(pods.run("trainer-0", "run")).join()
    identity = pods.run("trainer-1", "run")
    _pending("Infeasible")(pods)
    status = run.until(lambda now: now.forming and now.forming.waiting_for, "it is waited for")
    assert not condition(status, "PodsHeldUp")
    second = member(identity).join()
    assert sorted((first.result(60).rank, second.result(60).rank)) == [0, 1]


def test_a_container_that_is_restarted_for_its_new_size_is_a_loss(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=2)
    first, resized = stand(*(member(pods.run(f"trainer-{n}", "run")) for n in range(2)))
    resized.fall_silent()
    _in_progress(pods)
    began = whole_second()
    run.until(lambda _: whole_second() > began, "the next second", 3)
    pods.set_container("trainer-1", running(whole_second()), restartCount=1)
    status = run.until(lambda now: now.forming, "it is a loss")
    assert status.forming is not None
    assert status.forming.reason == "ContainerRestarted"
    assert first.wait_until_told(8)
