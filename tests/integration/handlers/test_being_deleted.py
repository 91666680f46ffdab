"""A Rendezvous that is being deleted but held by a finalizer, and other things that undo what a node does."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousTimeoutError

pytestmark = pytest.mark.usefixtures("operator")

HOLD = "example.org/hold"
JOIN_SECONDS = 4
SOON_SECONDS = 15.0


@pytest.fixture
def held(run: Run) -> Iterator[Run]:
    """The Rendezvous, which a finalizer will hold."""
    run.create(minNodes=2)
    run.hold(HOLD)
    yield run
    run.hold()


def posts(one: Node) -> int:
    return [request.method for request in one.requests].count("POST")


def test_a_node_that_comes_takes_its_member_back_waits_says_what_holds_it_and_ends_by_its_time_out(
    held: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    held.delete()
    one = node(join_timeout=JOIN_SECONDS)
    with pytest.raises(RendezvousTimeoutError, match=f"it is being deleted and held by the finalizer {HOLD}"):
        one.join().result(SOON_SECONDS)
    said = [r for r in caplog.records if r.levelno == logging.WARNING and HOLD in r.getMessage()]
    assert len(said) == 1
    assert posts(one) == 1
    assert len(one.requests) <= 4
    eventually(lambda: held.members() == [], "the Member that it took back is gone")


def test_nodes_that_waited_for_its_end_make_it_again_and_meet(held: Run, node: Callable[..., Node]) -> None:
    held.delete()
    nodes = [node(), node()]
    joins = [one.join() for one in nodes]
    eventually(lambda: all(one.requests for one in nodes), "they look")
    held.hold()
    await_round(nodes, joins)
    assert held.status.round == 1


def test_a_member_that_comes_back_waits_as_one_that_comes(held: Run, node: Callable[..., Node]) -> None:
    nodes = [node(join_timeout=JOIN_SECONDS), node(join_timeout=JOIN_SECONDS)]
    meet(*nodes)
    held.delete()
    eventually(lambda: all(one.handler.rendezvous and one.handler.rendezvous.being_deleted for one in nodes), "seen")
    assert not any(one.told for one in nodes), "what runs may finish"
    asked = [len(one.requests) for one in nodes]
    joins = [one.join() for one in nodes]
    for join in joins:
        with pytest.raises(RendezvousTimeoutError, match=HOLD):
            join.result(SOON_SECONDS)
    for one, before in zip(nodes, asked, strict=True):
        assert len(one.requests) - before <= 3, "heartbeats alone"


def test_to_close_it_ends_by_its_time_out(held: Run, node: Callable[..., Node]) -> None:
    held.delete()
    one = node(close_timeout=2)
    with pytest.raises(RendezvousTimeoutError, match="no answer within 2 s; it is being deleted"):
        one.begin(one.handler.set_closed).result(SOON_SECONDS)
    assert posts(one) == 0


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """As a GitOps tool does that prunes what is not in its repository: again and again, from another thread."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.01):
            undo()

    undoing = threading.Thread(target=go_on)
    undoing.start()
    try:
        yield
    finally:
        over.set()
        undoing.join()


def comes_in_vain_and_asks_seldom(one: Node) -> None:
    began = time.monotonic()
    with pytest.raises(RendezvousTimeoutError):
        one.join().result(SOON_SECONDS)
    assert len(one.requests) <= 4 + 2 * (time.monotonic() - began), one.requests


def test_a_rendezvous_that_somebody_deletes_each_time_is_made_seldom_and_not_for_ever(
    run: Run, node: Callable[..., Node]
) -> None:
    def prune() -> None:
        if run.get() is not None:
            run.delete()

    with undone(prune):
        comes_in_vain_and_asks_seldom(node(join_timeout=JOIN_SECONDS))


def test_a_member_that_somebody_deletes_each_time_joins_seldom_and_not_for_ever(
    run: Run, node: Callable[..., Node]
) -> None:
    run.create(minNodes=2, heartbeatSeconds=1)

    def clean() -> None:
        for member in run.members():
            run.delete_member(member.name)

    with undone(clean):
        comes_in_vain_and_asks_seldom(node(join_timeout=JOIN_SECONDS))
