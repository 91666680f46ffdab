"""What happens to a pod or its node acts at once, on the real API server.

Heartbeats would tell after fifteen seconds (three intervals of five); what is told within `AT_ONCE` came from the pod.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects, PodObjects, running, terminated, whole_second
from integration.pods.pod_run import PodRun, eventually
from kube_rendezvous.membership.identity import Identity

AT_ONCE = 8.0
LIMIT = 60.0

MakeMember = Callable[[Identity], PodMember]

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def three(run: PodRun, pods: PodObjects, member: MakeMember, worker: str) -> list[PodMember]:
    """Three members in pods, of which the last runs on a node of its own; their round stands."""
    run.create(minNodes=2, maxNodes=3)
    places = {"trainer-0": "worker-1", "trainer-1": "worker-1", "trainer-2": worker}
    members = [member(pods.run(name, "run", node)) for name, node in places.items()]
    return stand(*members)


@pytest.fixture
def worker(nodes: NodeObjects, namespace: str) -> str:
    """A node that the operator sees."""
    return nodes.create(f"worker-of-{namespace}")


def stand(*members: PodMember) -> list[PodMember]:
    """Let them all join; return them by rank."""
    joins = [member.join() for member in members]
    rank = {id(member): join.result(LIMIT).rank for member, join in zip(members, joins, strict=True)}
    assert sorted(rank.values()) == list(range(len(members)))
    return sorted(members, key=lambda member: rank[id(member)])


def assert_told_at_once(*members: PodMember) -> None:
    deadline = time.monotonic() + AT_ONCE
    untold = [one.name for one in members if not one.wait_until_told(deadline - time.monotonic())]
    assert not untold, f"not told within {AT_ONCE} s: {untold}"


def wait_for_the_next_second() -> None:
    """Kubelets write whole seconds: until the next one begins, a container's time cannot be told from a heartbeat's."""
    now = datetime.now(UTC)
    eventually(lambda: whole_second() > now, "the next second", 3)


# Lost -------------------------------------------------------------------------------------------------------------


def test_survivors_are_told_at_once_of_a_pod_deleted_by_force(
    run: PodRun, pods: PodObjects, three: list[PodMember]
) -> None:
    *survivors, dead = three
    dead.fall_silent()
    pods.delete("trainer-2", grace_seconds=0)
    assert_told_at_once(*survivors)
    forming = run.status.forming
    assert forming is not None
    assert (forming.reason, forming.message) == ("PodDeleted", f"{dead.name}: its pod trainer-2 was deleted")
    stand(*survivors)
    status = run.status
    assert (status.round, status.ranks) == (2, tuple(one.name for one in survivors))
    assert run.members() == {one.name for one in survivors}
    eventually(lambda: len(run.events("PodDeleted")) == 1, "the Event")


def _restarted(pods: PodObjects) -> None:
    pods.set_container("trainer-2", running(whole_second()), restartCount=1)


def _ended(pods: PodObjects) -> None:
    pods.set_container("trainer-2", terminated(whole_second()))


def _restarting_with_all_others(pods: PodObjects) -> None:
    why = "container exited with restart policy rule"
    pods.set_condition("trainer-2", "AllContainersRestarting", "True", "RestartAllContainersStarted", why)


def _failed(pods: PodObjects) -> None:
    pods.set_container("trainer-2", terminated(whole_second()), phase="Failed")


@pytest.mark.parametrize(
    ("happens", "reason", "said"),
    [
        pytest.param(_restarted, "ContainerRestarted", "its container in pod trainer-2 was restarted", id="restarted"),
        pytest.param(
            _restarting_with_all_others,
            "ContainersRestarting",
            "all containers of its pod trainer-2 are being restarted",
            id="restarted with all others",
        ),
        pytest.param(
            _ended, "ContainerEnded", "its container in pod trainer-2 ended (exit code 137, OOMKilled)", id="ended"
        ),
        pytest.param(_failed, "PodFinished", "its pod trainer-2 has failed (exit code 137, OOMKilled)", id="failed"),
    ],
)
def test_survivors_are_told_at_once_of_a_container(
    run: PodRun, pods: PodObjects, three: list[PodMember], happens: Callable[[PodObjects], None], reason: str, said: str
) -> None:
    *survivors, dead = three
    dead.fall_silent()
    wait_for_the_next_second()
    happens(pods)
    assert_told_at_once(*survivors)
    forming = run.status.forming
    assert forming is not None
    assert (forming.reason, forming.message) == (reason, f"{dead.name}: {said}")


def test_the_member_of_the_restarted_container_has_its_rank_again(
    run: PodRun, pods: PodObjects, three: list[PodMember], member: MakeMember
) -> None:
    *survivors, dead = three
    dead.fall_silent()
    wait_for_the_next_second()
    _restarted(pods)
    assert_told_at_once(*survivors)
    again = member(dead.identity)
    assert stand(*survivors, again) == [*survivors, again]
    status = run.status
    assert (status.round, status.history[0].moved_ranks) == (2, 1)
    assert run.members() == {one.name for one in (*survivors, again)}


def test_a_pod_whose_containers_are_all_restarted_in_place_has_its_rank_again_and_its_ghost_is_gone(
    run: PodRun, pods: PodObjects, three: list[PodMember], member: MakeMember
) -> None:
    *survivors, ghost = three
    ghost.fall_silent()
    wait_for_the_next_second()
    _restarting_with_all_others(pods)
    assert_told_at_once(*survivors)
    wait_for_the_next_second()
    pods.set_condition("trainer-2", "AllContainersRestarting", "False", "", "")
    pods.set_container("trainer-2", running(whole_second()), restartCount=1)
    again = member(ghost.identity)  # the same pod, UID and address
    assert stand(*survivors, again) == [*survivors, again]
    status = run.status
    assert (status.round, status.history[0].reason, status.history[0].moved_ranks) == (2, "ContainersRestarting", 1)
    assert run.members() == {one.name for one in (*survivors, again)}
    assert status.recent_losses == (), "a restart rule restarts healthy pods as well: it counts against no place"


def test_survivors_are_told_at_once_of_a_node_that_is_gone(
    run: PodRun, nodes: NodeObjects, three: list[PodMember], worker: str
) -> None:
    *survivors, dead = three
    dead.fall_silent()
    nodes.delete(worker)
    assert_told_at_once(*survivors)
    forming = run.status.forming
    assert forming is not None
    assert (forming.reason, forming.message) == ("NodeGone", f"{dead.name}: its node {worker} is gone")


# Departing --------------------------------------------------------------------------------------------------------


def _deleted(pods: PodObjects, nodes: NodeObjects, worker: str) -> None:
    pods.delete("trainer-2", grace_seconds=600)


def _evicted(pods: PodObjects, nodes: NodeObjects, worker: str) -> None:
    pods.set_condition("trainer-2", "DisruptionTarget", "True", "PreemptionByScheduler", "preempted by big-0")


def _drained(pods: PodObjects, nodes: NodeObjects, worker: str) -> None:
    nodes.taint(worker, "karpenter.sh/disrupted")


def _unready(pods: PodObjects, nodes: NodeObjects, worker: str) -> None:
    nodes.taint(worker, "readiness.k8s.io/NetworkReady")


def _drain_condition(kind: str) -> Callable[..., None]:
    def happens(pods: PodObjects, nodes: NodeObjects, worker: str) -> None:
        nodes.set_condition(worker, kind, "True", "Upgrade", "the kernel is replaced")

    return happens


@pytest.mark.parametrize(
    ("happens", "reason", "said"),
    [
        pytest.param(_deleted, "PodTerminating", "its pod trainer-2 is being deleted", id="deleted with grace"),
        pytest.param(
            _evicted,
            "PodEvicted",
            "its pod trainer-2 has to go (PreemptionByScheduler: preempted by big-0)",
            id="preempted",
        ),
        pytest.param(_drained, "NodeDraining", "is being drained (karpenter.sh/disrupted)", id="node drained"),
        pytest.param(_unready, "NodeDraining", "is being drained (readiness.k8s.io/NetworkReady)", id="node not ready"),
        *(
            pytest.param(
                _drain_condition(kind), "NodeDraining", f"is being drained ({kind}: the kernel is replaced)", id=kind
            )
            for kind in ("GracefulNodeShutdownInProgress", "DrainInProgress", "Drained", "MaintenanceInProgress")
        ),
    ],
)
def test_survivors_and_the_leaver_are_told_at_once_and_the_next_round_is_without_it(
    run: PodRun,
    pods: PodObjects,
    nodes: NodeObjects,
    three: list[PodMember],
    worker: str,
    happens: Callable[..., None],
    reason: str,
    said: str,
) -> None:
    *survivors, leaver = three
    happens(pods, nodes, worker)
    assert_told_at_once(*survivors, leaver)
    forming = run.status.forming
    assert forming is not None
    assert forming.reason == reason
    assert said in forming.message
    waiting = leaver.join()
    stand(*survivors)
    assert run.status.ranks == tuple(one.name for one in survivors)
    assert not waiting.done(), "it has no place, and nothing to be refused"
    assert not any(one.told for one in survivors), "its waiting disturbs nobody"


def test_planned_maintenance_disturbs_nobody_and_a_spare_there_is_taken_last(
    run: PodRun, pods: PodObjects, nodes: NodeObjects, member: MakeMember, worker: str
) -> None:
    run.create(minNodes=2, maxNodes=2)
    first, second = stand(*(member(pods.run(f"trainer-{n}", "run", "worker-1")) for n in range(2)))
    # The one that is lost ends in the same number: without the condition, the first would take its place.
    doomed, sound = member(pods.run("spare-1", "run", worker)), member(pods.run("spare-0", "run", "worker-1"))
    doomed.join()
    run.until(lambda now: now.standby == 1, "one spare")
    waiting = sound.join()
    run.until(lambda now: now.standby == 2, "two spares")
    nodes.set_condition(worker, "MaintenancePlanned", "True", "Upgrade", "on Sunday")
    second.fall_silent()
    pods.delete("trainer-1", grace_seconds=0)
    assert_told_at_once(first)
    first.join()
    assert waiting.result(LIMIT).rank == 1
    assert doomed.name not in run.status.ranks


# On their way -----------------------------------------------------------------------------------------------------


def test_with_nobody_on_its_way_there_is_no_last_call(run: PodRun, pods: PodObjects, member: MakeMember) -> None:
    run.create(minNodes=2, maxNodes=4, lastCallSeconds=3600)
    stand(*(member(pods.run(name, "run")) for name in ("trainer-0", "trainer-1")))
    assert run.status.world_size == 2


def test_with_nobody_on_its_way_the_world_grows_at_once(run: PodRun, pods: PodObjects, member: MakeMember) -> None:
    run.create(minNodes=2, maxNodes=4, lastCallSeconds=3600)
    first = stand(*(member(pods.run(name, "run")) for name in ("trainer-0", "trainer-1")))
    late = member(pods.run("trainer-2", "run"))
    joins = late.join()
    assert_told_at_once(*first)
    again = [one.join() for one in first]
    assert [join.result(LIMIT).rank for join in again] == [0, 1]
    assert joins.result(LIMIT).rank == 2


def test_a_pod_on_its_way_is_waited_for_and_named_with_what_it_waits_for(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=3)
    pods.create("trainer-2", "run")
    pods.set_container("trainer-2", {"waiting": {"reason": "ContainerCreating"}}, phase="Pending")
    joins = [member(pods.run(name, "run")).join() for name in ("trainer-0", "trainer-1")]
    status = run.until(lambda now: now.forming and now.forming.arrived == 2, "both have arrived")
    assert status.forming is not None
    assert (status.forming.waiting_for, status.forming.deadline is not None) == (
        ("trainer-2 (ContainerCreating)",),
        True,
    )
    pods.delete("trainer-2", grace_seconds=0)
    assert sorted(join.result(LIMIT).world_size for join in joins) == [2, 2], "nobody is on its way any more"


def test_a_pod_without_the_label_is_neither_waited_for_nor_judged(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=3)
    members = stand(*(member(pods.run(name, "run")) for name in ("trainer-0", "trainer-1")))
    pods.create("stranger", None)
    pods.create("others", "other-run")
    pods.delete("stranger", grace_seconds=0)
    late = member(pods.run("trainer-2", None)).join()
    assert_told_at_once(*members)  # it makes the world grow at once: nobody who is labelled is on its way
    stand_again: list[Any] = [one.join() for one in members]
    assert sorted(join.result(LIMIT).world_size for join in (*stand_again, late)) == [3, 3, 3]
    pods.delete("trainer-2", grace_seconds=0)
    wait_for_the_next_second()
    assert run.status.forming is None
