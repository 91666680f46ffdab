"""Two agents with one pod and slot: the one that came first goes on, and the other is told about it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousStateError

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]
SOON_SECONDS = 30.0


@pytest.fixture
def in_pod(monkeypatch: pytest.MonkeyPatch, kubectl: Callable[..., Any], namespace: str) -> Iterator[None]:
    """All nodes of the test say that they are in one pod."""
    pod = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trainer-0"}, "spec": {"containers": '
    pod += '[{"name": "trainer", "image": "none"}]}}'
    uid = kubectl("-n", namespace, "create", "-f", "-", "-o", "jsonpath={.metadata.uid}", stdin=pod).stdout
    monkeypatch.setenv("POD_NAME", "trainer-0")
    monkeypatch.setenv("POD_UID", uid)
    yield
    kubectl("-n", namespace, "delete", "pod", "trainer-0", "--wait=false", "--grace-period=0")


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox that has no such sockets, and as nodes with an older client."""
    monkeypatch.setattr("kube_rendezvous.membership.own_place.take_place", lambda *_, **__: None)


def standing(run: Run, node: MakeNode) -> tuple[Node, Node]:
    """Two nodes of one pod, in a slot each, whose round stands."""
    run.create(minNodes=2, maxNodes=4, heartbeatSeconds=1)
    first, other = node(2, 4, slot="0"), node(2, 4, slot="1")
    meet(first, other)
    return first, other


def undisturbed(run: Run, *nodes: Node) -> None:
    assert not any(one.told for one in nodes)
    assert run.status.round == 1


@pytest.mark.usefixtures("in_pod")
def test_a_try_out_in_the_pod_of_a_run_is_refused_before_it_writes_anything(run: Run, node: MakeNode) -> None:
    first, other = standing(run, node)
    debugging = node(2, 4, slot="0")
    with pytest.raises(RendezvousStateError) as refused:
        debugging.join().result(SOON_SECONDS)
    member = run.member_in("0")
    assert member is not None
    assert f"it has slot 0, where {member.name} (process " in str(refused.value)
    assert "--rdzv-conf slot=NAME" in str(refused.value)
    assert not any(request.method == "POST" for request in debugging.requests)
    undisturbed(run, first, other)


@pytest.mark.usefixtures("in_pod")
def test_with_a_slot_of_its_own_it_takes_part(run: Run, node: MakeNode) -> None:
    first, other = standing(run, node)
    third = node(2, 4, slot="half-1")
    joins = [third.join()]
    while not first.told:
        time.sleep(0.02)
    await_round([third, first, other], [*joins, first.join(), other.join()])


@pytest.mark.usefixtures("in_pod", "without_locks")
def test_where_there_are_no_locks_the_operator_refuses_who_came_later_when_the_other_renews(
    run: Run, node: MakeNode
) -> None:
    first, other = standing(run, node)
    member = run.member_in("0")
    assert member is not None
    debugging = node(2, 4, slot="0")
    with pytest.raises(RendezvousStateError, match=f"where {member.name} is already, and lives") as refused:
        debugging.join().result(SOON_SECONDS)
    assert "--rdzv-conf slot=NAME" in str(refused.value)
    undisturbed(run, first, other)
    eventually(lambda: run.events("MemberRefused"), "an Event tells of it")
    debugging.handler.shutdown()
    run.until(lambda status: not status.refused, "it is not named any more")
    undisturbed(run, first, other)


@pytest.mark.usefixtures("in_pod", "without_locks")
def test_where_there_are_no_locks_a_process_that_fell_silent_is_replaced_soon(run: Run, node: MakeNode) -> None:
    first, other = standing(run, node)
    first.fall_silent()
    again = node(2, 4, slot="0")
    joins = [again.join()]
    while not other.told:
        time.sleep(0.02)
    await_round([again, other], [*joins, other.join()])
    assert run.status.round == 2
