"""What a member's pod and node say about it."""

from datetime import timedelta
from typing import Any

import pytest

from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core import ObservedContainer, ObservedNode, ObservedPod, Surroundings
from kube_rendezvous_core.liveness.liveness import judge
from kube_rendezvous_core.liveness.pod_liveness import judge_pod
from unit.core.builders import NOW, at, member, rendezvous, seen

RENEWED = format_time(NOW)


def pod(**fields: Any) -> ObservedPod:
    """The member's pod: it runs, on a node, for a minute already."""
    standard: dict[str, Any] = {"phase": "Running", "node_name": "node-1", "container": running(-60)}
    return ObservedPod(**(standard | {"name": "trainer-0", "uid": "p"} | fields))


def running(seconds: float) -> ObservedContainer:
    """A container that has run since that many seconds after NOW."""
    return ObservedContainer(running_since=at(seconds))


def ended(seconds: float, ending: str = "exit code 137, OOMKilled") -> ObservedContainer:
    """A container that ended that many seconds after NOW and was not started again."""
    return ObservedContainer(terminated_at=at(seconds), ending=ending)


def nodes(**fields: Any) -> dict[str, ObservedNode]:
    """One node."""
    return {"node-1": ObservedNode("node-1", **fields)}


def around(one: ObservedPod | None = None, **known: Any) -> Surroundings:
    """That pod and whatever else is known."""
    return Surroundings(pods={one.uid: one} if one is not None else {}, **known)


@pytest.mark.parametrize(
    ("surroundings", "reason", "departing"),
    [
        pytest.param(around(pod()), None, None, id="it runs"),
        pytest.param(around(pod(phase="Unknown")), None, None, id="its kubelet is silent: heartbeats will tell"),
        pytest.param(around(gone_pods={"p"}), "PodDeleted", False, id="its pod's end was seen"),
        pytest.param(around(gone_pods={"q"}), None, None, id="another pod's end was seen"),
        pytest.param(
            around(pod(deleting=True, grace_over=True)), "PodDeleted", False, id="deleted, held by a finalizer only"
        ),
        pytest.param(around(pod(phase="Failed", container=ended(9))), "PodFinished", False, id="failed"),
        pytest.param(around(pod(phase="Succeeded", container=ended(9))), "PodFinished", False, id="succeeded"),
        pytest.param(around(pod(container=ended(9))), "ContainerEnded", False, id="its container ended"),
        pytest.param(around(pod(container=running(9))), "ContainerRestarted", False, id="its container restarted"),
        pytest.param(
            around(pod(restarting_since=at(0))), "ContainersRestarting", False, id="all its containers are restarted"
        ),
        pytest.param(
            around(pod(restarting_since=at(-9))), None, None, id="they were, before it was heard: it is the new one"
        ),
        pytest.param(
            around(pod(restarting_since=at(9), container=ended(9))),
            "ContainerEnded",
            False,
            id="its own container ended, and all are restarted for that",
        ),
        pytest.param(around(pod(disruption="EvictionByEvictionAPI")), "PodEvicted", True, id="evicted"),
        pytest.param(around(pod(deleting=True)), "PodTerminating", True, id="deleted with grace"),
        pytest.param(
            around(pod(deleting=True, disruption="Preempted")), "PodEvicted", True, id="evicted says more than deleted"
        ),
        pytest.param(
            around(pod(deleting=True, container=ended(9))), "ContainerEnded", False, id="the end of a departing one"
        ),
        pytest.param(around(pod(), nodes=nodes()), None, None, id="nothing is wrong with its node"),
        pytest.param(around(pod(), nodes=nodes(gone=True)), "NodeGone", False, id="the end of its node was seen"),
        pytest.param(around(pod(), nodes={}), None, None, id="its node was not seen yet"),
        pytest.param(around(pod(), nodes=None), None, None, id="nodes are not visible"),
        pytest.param(around(pod(), nodes=nodes(draining="t")), "NodeDraining", True, id="its node is being drained"),
    ],
)
def test_pod_and_node_judge_a_member(surroundings: Surroundings, reason: str | None, departing: bool | None) -> None:
    verdict = judge_pod(member("a", pod_uid="p", pod_name="trainer-0", renew_time=RENEWED), surroundings)
    assert (verdict and verdict.reason, verdict and verdict.departing) == (reason, departing)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"phase": "Failed", "container": ended(9)}, "its pod trainer-0 has failed (exit code 137, OOMKilled)"),
        ({"container": ended(9)}, "its container in pod trainer-0 ended (exit code 137, OOMKilled)"),
        ({"disruption": "Preempted: by b"}, "its pod trainer-0 has to go (Preempted: by b)"),
    ],
)
def test_the_sentence_says_what_the_cluster_says(fields: dict[str, Any], said: str) -> None:
    verdict = judge_pod(member("a", pod_uid="p", renew_time=RENEWED), around(pod(**fields)))
    assert verdict is not None
    assert verdict.message == f"a: {said}"


@pytest.mark.parametrize("verdict", [{"deleting": True}, {"disruption": "Preempted"}])
def test_a_departing_member_is_neither_alive_nor_lost_but_present(verdict: dict[str, Any]) -> None:
    liveness = judge(rendezvous(), [seen("a", pod_uid="p", renew_time=RENEWED)], 5, around(pod(**verdict)))
    assert (set(liveness.alive), liveness.losses, [m.name for m in liveness.present]) == (set(), (), ["a"])
    assert [loss.name for loss in liveness.departing] == ["a"]
    assert liveness.next_silence is not None, "it may fall silent before its pod is gone"


def test_a_departing_member_that_falls_silent_is_lost() -> None:
    observed = seen("a", silence=15, pod_uid="p", renew_time=RENEWED)
    liveness = judge(rendezvous(), [observed], 5, around(pod(deleting=True)))
    assert ([loss.reason for loss in liveness.losses], liveness.departing) == (["HeartbeatLost"], ())


# Container times --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "heartbeat", "reason"),
    [
        pytest.param(running(0), 0.0, None, id="sent by the instance that runs, at its very start"),
        pytest.param(running(0), 0.9, None, id="in the second in which that started, which is rounded down"),
        pytest.param(running(1), 0.9, "ContainerRestarted", id="sent before the instance that runs was started"),
        pytest.param(ObservedContainer(running_since=at(1), first=True), 0.9, None, id="sent by a sidecar"),
        pytest.param(ended(0), -5.0, "ContainerEnded", id="sent well before the end"),
        pytest.param(ended(0), 0.9, "ContainerEnded", id="sent in the second of the end, which is rounded down"),
        pytest.param(ended(0), 1.0, None, id="sent after the end: by an instance that is not shown yet"),
        pytest.param(ObservedContainer(), 0.0, None, id="nothing is known of the container"),
    ],
)
def test_container_times_are_compared_with_the_members_own_heartbeat_time(
    container: ObservedContainer, heartbeat: float, reason: str | None
) -> None:
    its = member("a", pod_uid="p", renew_time=format_time(at(heartbeat)))
    verdict = judge_pod(its, around(pod(container=container)))
    assert (verdict and verdict.reason) == reason


@pytest.mark.parametrize("skew_seconds", [-3600, 0, 3600])
def test_neither_our_clock_nor_the_api_servers_counts(skew_seconds: float) -> None:
    skew = timedelta(seconds=skew_seconds)
    its = member("a", pod_uid="p", created=NOW, renew_time=format_time(at(10) + skew))
    assert judge_pod(its, around(pod(container=ObservedContainer(running_since=at(5) + skew)))) is None


@pytest.mark.parametrize("starts_in", [0.0, 0.3, 0.7, 1.0, 10.0])
@pytest.mark.parametrize("joins_after", [1.0, 1.5, 30.0])
def test_the_new_member_of_a_just_restarted_container_is_never_taken_for_dead(
    starts_in: float, joins_after: float
) -> None:
    """Whatever of the restart the watch has shown so far: the end of the old instance, or the start of the new one."""
    its = member("new", pod_uid="p", renew_time=format_time(at(starts_in + joins_after)))
    for shown in (ended(0), running(int(starts_in))):
        assert judge_pod(its, around(pod(container=shown))) is None


def test_the_old_member_of_a_restarted_container_is_replaced_by_the_new_one() -> None:
    old = seen("old", pod_uid="p", renew_time=format_time(at(-3)))
    new = seen("new", pod_uid="p", renew_time=format_time(at(7)), created=at(7))
    liveness = judge(rendezvous(), [old, new], 5, around(pod(container=running(5))))
    assert set(liveness.alive) == {"new"}
    assert [(loss.name, loss.reason) for loss in liveness.losses] == [("old", "ContainerRestarted")]


@pytest.mark.parametrize("renew_time", ["", "yesterday"])
def test_a_heartbeat_without_a_readable_time_says_nothing_about_the_container(renew_time: str) -> None:
    its = member("a", pod_uid="p", renew_time=renew_time)
    assert judge_pod(its, around(pod(container=running(5)))) is None


# Pods that are not seen -------------------------------------------------------------------------------------------


def test_a_pod_without_the_label_says_nothing_about_its_member() -> None:
    its = member("a", pod_uid="unlabelled", node_name="node-1", renew_time=RENEWED)
    assert judge_pod(its, around(pod(phase="Failed"), nodes=nodes())) is None


def test_the_node_of_a_member_whose_pod_has_no_label_still_counts() -> None:
    its = member("a", pod_uid="unlabelled", node_name="node-1", renew_time=RENEWED)
    verdict = judge_pod(its, around(nodes=nodes(gone=True)))
    assert verdict is not None
    assert (verdict.reason, verdict.message) == ("NodeGone", "a: its node node-1 is gone")


@pytest.mark.parametrize(("written", "reason"), [("41", "NodeGone"), ("43", None)])
def test_who_wrote_after_the_end_of_its_node_has_outlived_it(written: str, reason: str | None) -> None:
    # The node came back under the same name, and the news of its pods and members is ahead of that of the nodes.
    its = member("a", pod_uid="p", node_name="node-1", renew_time=RENEWED, resource_version=written)
    verdict = judge_pod(its, around(pod(), nodes=nodes(gone=True, version=42, draining="karpenter.sh/disrupted")))
    assert (verdict.reason if verdict is not None else None) == reason


def test_a_member_outside_a_pod_is_judged_by_its_heartbeat_alone() -> None:
    its = member("a", node_name="node-1", renew_time=RENEWED)
    assert judge_pod(its, around(pod(uid=""), nodes=nodes(gone=True))) is None
