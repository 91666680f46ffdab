"""Closing: by a person, by a member, at the end; and opening again."""

from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousClosedError

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]


def refused_as_closed(node: Node) -> str:
    with pytest.raises(RendezvousClosedError) as closed:
        node.join().result(60)
    return str(closed.value)


def test_a_rendezvous_that_a_person_closed_before_the_join_refuses_it(run: Run, node: MakeNode) -> None:
    run.create(minNodes=1, closed=True)
    late = node(1, 1)
    assert "spec.closed is true; set it to false to open the rendezvous again" in refused_as_closed(late)
    assert late.handler.is_closed()
    assert all(member.leaving for member in run.members()), "it was taken back before the refusal was raised"
    eventually(lambda: run.members() == [], "the Member that it took back is gone")


def test_a_rendezvous_that_a_member_closed_before_the_join_refuses_it(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=3)
    closer, other = node(), node()
    meet(closer, other)
    closer.handler.set_closed()
    assert closer.handler.is_closed()
    text = refused_as_closed(node())
    assert "is closed: closed by" in text
    assert "set_closed() was called" in text


def test_those_who_wait_are_told_that_it_was_closed(run: Run, node: MakeNode) -> None:
    run.create(minNodes=3)
    waiting, closer = node(3, 3), node(3, 3)
    joins = [waiting.join()]
    run.until_members(1)
    closer.handler.set_closed()
    with pytest.raises(RendezvousClosedError, match="is closed"):
        joins[0].result(60)


def test_a_member_that_shuts_down_closes_and_does_not_make_the_others_restart(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2)
    first, second = node(), node()
    meet(first, second)
    assert first.handler.shutdown()
    status = run.until(lambda status: status.closed, "the first to succeed closes it")
    assert status.closed is not None
    assert "shut down after" in status.closed.message
    assert "after round 1" in status.closed.message
    eventually(second.handler.is_closed, "the other sees that")
    assert not second.told
    assert second.handler.shutdown()


def test_what_a_member_closed_opens_again_when_all_are_gone_and_round_numbers_go_on(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2)
    for expected in (1, 2, 3):
        nodes = [node(), node()]
        meet(*nodes)
        assert {one.round for one in nodes} == {expected}
        for one in nodes:
            assert one.handler.shutdown()
        run.until(lambda status: status.closed and status.closed.reopens_on_join, "it waits for the next Job")
    assert not node().handler.is_closed(), "what the next join would open is not closed"
    run.until_told("Reopened", "", times=2)
    assert len(run.events("Reopened")) == 2


def test_what_a_member_closed_stays_closed_with_reopen_never(run: Run, node: MakeNode) -> None:
    run.create(minNodes=1, reopen="Never")
    one = node(1, 1)
    meet(one)
    one.handler.shutdown()
    run.until_members(0)
    assert "shut down after" in refused_as_closed(node(1, 1))


def test_what_a_person_closed_opens_when_that_person_says_so(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2)
    waiting = node()
    join = waiting.join()
    run.until_members(1)
    run.change(closed=True)
    with pytest.raises(RendezvousClosedError, match=r"spec\.closed is true"):
        join.result(60)
    run.until(lambda status: status.closed, "the operator has closed it")
    run.change(closed=False)
    run.until(lambda status: status.closed is None, "the operator has opened it")
    eventually(lambda: not waiting.handler.is_closed(), "the node that stayed has heard of it")
    meet(waiting, node())


def test_those_who_run_finish_when_a_person_closes_it(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2)
    nodes = [node(), node()]
    meet(*nodes)
    run.change(closed=True)
    run.until(lambda status: status.closed, "it is closed")
    for one in nodes:
        eventually(one.handler.is_closed, "they see it")
    assert not any(one.told for one in nodes)


def test_closing_twice_is_closing_once(run: Run, node: MakeNode) -> None:
    run.create(minNodes=1)
    one = node(1, 1)
    meet(one)
    one.handler.set_closed()
    first = run.status.closed
    one.handler.set_closed()
    assert run.status.closed == first


def test_a_handler_that_was_shut_down_joins_nothing_any_more(run: Run, node: MakeNode) -> None:
    run.create(minNodes=1)
    one = node(1, 1)
    meet(one)
    assert one.handler.shutdown()
    assert one.handler.shutdown(), "and may be shut down again"
    assert "this handler was shut down" in refused_as_closed(one)
    assert one.handler.is_closed()
