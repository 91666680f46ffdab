"""Pods that cannot run now hold up neither a first round nor survivors, and join by growth, on the real API server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.pods.pod_objects import PodObjects, running, terminated, whole_second
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import LIMIT, MakeMember, assert_told_at_once, stand
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.resources import RendezvousStatus

pytestmark = pytest.mark.usefixtures("operator")

Hinder = Callable[[PodObjects, str], None]


def _gated(pods: PodObjects, name: str) -> None:
    pods.create(name, "run", gates=["kueue.x-k8s.io/elastic-job"])


def _unschedulable(pods: PodObjects, name: str) -> None:
    pods.create(name, "run")
    pods.set_condition(name, "PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient gpu.")


def _waiting(reason: str, message: str) -> Hinder:
    def make(pods: PodObjects, name: str) -> None:
        pods.create(name, "run", "worker-1")
        pods.set_container(name, {"waiting": {"reason": reason, "message": message}}, phase="Pending")

    return make


def _failed_again(pods: PodObjects, name: str) -> None:
    """As the kubelet shows it before it says CrashLoopBackOff."""
    pods.create(name, "run", "worker-1")
    failed = terminated(whole_second())
    failed["terminated"]["startedAt"] = failed["terminated"]["finishedAt"]
    pods.set_container(name, failed, lastState=failed, restartCount=1)


def _failed_for_good(pods: PodObjects, name: str) -> None:
    """As the kubelet shows it while another container of the pod runs on."""
    pods.create(name, "run", "worker-1", restart_policy="Never")
    pods.set_container(name, terminated(whole_second()))


ENDED = pytest.param(
    _failed_for_good,
    "its container ended for good (exit code 137, OOMKilled), and another one of the pod keeps it from ending",
    id="ended for good beside another container",
)
HINDRANCES: list[Any] = [
    pytest.param(_gated, "SchedulingGated: kueue.x-k8s.io/elastic-job", id="gated"),
    pytest.param(_unschedulable, "Pending: 0/3 nodes are available: 3 Insufficient gpu.", id="unschedulable"),
    pytest.param(_waiting("ImagePullBackOff", "no such image"), "ImagePullBackOff: no such image", id="no image"),
    pytest.param(_waiting("CrashLoopBackOff", "back-off 40s"), "CrashLoopBackOff: back-off 40s", id="crash loop"),
    pytest.param(
        _failed_again, "CrashLoopBackOff: exit code 137, OOMKilled, started again 1 time", id="about to be in back-off"
    ),
    pytest.param(
        _waiting("CreateContainerConfigError", 'secret "x" not found'),
        'CreateContainerConfigError: secret "x" not found',
        id="no Secret",
    ),
]


def condition(status: RendezvousStatus, kind: str) -> str:
    """Message of a condition that holds; "" otherwise."""
    return next((c.message for c in status.conditions if c.type == kind and c.status == "True"), "")


@pytest.mark.parametrize(("hinder", "named"), [*HINDRANCES, ENDED])
def test_neither_the_first_round_nor_survivors_wait_for_a_pod_that_cannot_run(
    run: PodRun, pods: PodObjects, member: MakeMember, hinder: Hinder, named: str
) -> None:
    run.create(minNodes=2, maxNodes=5)
    for name in ("trainer-3", "trainer-4"):
        hinder(pods, name)
    *survivors, dead = stand(*(member(pods.run(f"trainer-{n}", "run")) for n in range(3)))
    status = run.status
    assert status.world_size == 3
    assert f"trainer-3 ({named}); trainer-4 ({named})" in condition(status, "PodsHeldUp")
    dead.fall_silent()
    pods.delete("trainer-2", grace_seconds=0)
    hinder(pods, "trainer-2")  # its replacement
    assert_told_at_once(*survivors)
    assert stand(*survivors) == survivors
    assert run.status.world_size == 2


def test_while_too_few_are_here_it_is_named_and_no_alarm_says_that_the_round_is_impossible(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=2)
    _gated(pods, "trainer-1")
    member(pods.run("trainer-0", "run")).join()
    named = ("trainer-1 (SchedulingGated: kueue.x-k8s.io/elastic-job)",)
    run.until(lambda now: now.forming and now.forming.waiting_for == named, "it is named")
    assert not condition(run.until(_eleven_seconds_old, "the grace is over", 60), "Stalled")


def _eleven_seconds_old(status: RendezvousStatus) -> bool:
    return status.forming is not None and (datetime.now(UTC) - status.forming.since).total_seconds() > 11


@pytest.mark.parametrize(("hinder", "named"), HINDRANCES)
def test_it_joins_by_growth_when_its_hindrance_goes(
    run: PodRun, pods: PodObjects, member: MakeMember, hinder: Hinder, named: str
) -> None:
    run.create(minNodes=2, maxNodes=3, lastCallSeconds=3600)
    hinder(pods, "trainer-2")
    first = stand(*(member(pods.run(f"trainer-{n}", "run")) for n in range(2)))
    assert named in condition(run.status, "PodsHeldUp")
    mended = pods.get("trainer-2")
    if mended["spec"].get("schedulingGates"):
        pods.lift_gates("trainer-2")
    if mended["spec"].get("nodeName"):
        pods.set_container("trainer-2", running(whole_second()))
    else:
        pods.bind("trainer-2", "worker-1")
    run.until(lambda now: not condition(now, "PodsHeldUp"), "nothing holds it up")
    late = member(Identity("trainer-2", "trainer-2", mended["metadata"]["uid"], "worker-1", "2", "127.0.0.1")).join()
    assert_told_at_once(*first)
    again = [one.join() for one in first]
    assert [join.result(LIMIT).rank for join in (*again, late)] == [0, 1, 2]
    assert [past.reason for past in run.status.history] == ["Growth", "FirstRound"]
