"""Members that are lost: silent, deleted, gone without a word, or superseded in their pod. The others are told."""

import gc
import json
import time
from collections.abc import Callable, Iterator

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run

pytestmark = [pytest.mark.core, pytest.mark.usefixtures("operator")]

MakeNode = Callable[..., Node]

AT_ONCE_SECONDS = 10.0


def name_of(run: Run, node: Node) -> str:
    member = run.member_in(node.slot)
    assert member is not None
    return member.name


def test_a_member_whose_heartbeat_stops_is_lost_after_three_intervals_and_the_others_are_told(
    run: Run, node: MakeNode
) -> None:
    run.create(minNodes=3, maxNodes=3, heartbeatSeconds=1, lastCallSeconds=1)
    nodes = [node(3, 3) for _ in range(3)]
    meet(*nodes)
    run.change_and_wait(minNodes=2)
    silent, *others = nodes
    name = name_of(run, silent)
    silent.fall_silent()
    began = time.monotonic()
    eventually(lambda: all(one.told for one in others), "the others are told")
    assert 1.9 < time.monotonic() - began < 3 + AT_ONCE_SECONDS
    meet(*others)
    run.until_told("HeartbeatLost", f"{name} has sent no heartbeat for 3 s")
    assert not run.has_member(name)


def test_when_a_member_is_deleted_the_others_are_told_at_once(run: Run, node: MakeNode) -> None:
    run.create(minNodes=3, maxNodes=3, lastCallSeconds=1)
    nodes = [node(3, 3) for _ in range(3)]
    meet(*nodes)
    run.change_and_wait(minNodes=2)
    lost, *others = nodes
    name = name_of(run, lost)
    lost.fall_silent()
    run.delete_member(name)
    eventually(lambda: all(one.told for one in others), "the others are told", AT_ONCE_SECONDS)
    meet(*others)
    assert run.status.history[0].left == (name,)


def test_a_living_member_whose_object_was_deleted_is_told_too_and_joins_as_a_new_incarnation(
    run: Run, node: MakeNode
) -> None:
    run.create(minNodes=2, heartbeatSeconds=1)
    nodes = [node(), node()]
    meet(*nodes)
    victim = nodes[0]
    name = name_of(run, victim)
    run.delete_member(name)
    eventually(lambda: all(one.told for one in nodes), "both are told")
    meet(*nodes)
    assert name_of(run, victim) != name


def test_a_handler_that_is_dropped_without_a_word_says_that_it_leaves_and_does_not_close(
    run: Run, node: MakeNode, all_nodes: list[Node]
) -> None:
    run.create(minNodes=2, maxNodes=2, lastCallSeconds=1)
    stays, goes = node(2, 2), node(2, 2)
    meet(stays, goes)
    run.change_and_wait(minNodes=1)
    name = name_of(run, goes)
    assert goes.wait_for_threads(5)
    all_nodes.remove(goes)
    del goes
    gc.collect()
    eventually(lambda: stays.told, "the other is told", AT_ONCE_SECONDS)
    meet(stays)
    assert run.status.closed is None
    run.until_told("MemberLeft", f"{name} left")


@pytest.fixture
def pod_uid(kubectl: Callable[..., object], namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """As if this process ran in a pod, which is there but fits on no node."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "trainer-0"},
        "spec": {
            "nodeSelector": {"no-such": "node"},
            "containers": [{"name": "trainer", "image": "none"}],
            "terminationGracePeriodSeconds": 0,
        },
    }
    created = kubectl("-n", namespace, "create", "-f", "-", "-o", "jsonpath={.metadata.uid}", stdin=json.dumps(pod))
    uid = str(created.stdout)  # type: ignore[attr-defined]
    assert uid, created
    monkeypatch.setenv("POD_NAME", "trainer-0")
    monkeypatch.setenv("POD_UID", uid)
    yield uid
    kubectl("-n", namespace, "delete", "pod", "trainer-0", "--wait=false")


def test_a_new_incarnation_in_the_same_pod_and_slot_replaces_the_old_one_at_once(
    run: Run, node: MakeNode, pod_uid: str
) -> None:
    run.create(minNodes=2)
    old, other = node(slot="0"), node(slot="1")
    infos = meet(old, other)
    name = name_of(run, old)
    old.fall_silent()  # its container was killed
    new = node(slot="0")
    joined = new.join()
    eventually(lambda: other.told, "the other is told, long before any heartbeat is missed", AT_ONCE_SECONDS)
    again = await_round([new, other], [joined, other.join()])
    assert again[0].rank == infos[0].rank, "it has the place of the old one"
    members = {member.name: member for member in run.members()}
    assert name not in members
    assert {member.pod_uid for member in members.values()} == {pod_uid}
    assert all(member.name.startswith("trainer-0-") for member in members.values())
    run.until_told("MemberSuperseded", f"{name} was replaced by")
