"""What a handler leaves behind in its process: no thread and no socket."""

import gc
import os
import threading
from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousClosedError

pytestmark = [
    pytest.mark.usefixtures("operator"),
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open sockets are counted in /proc"),
]


@pytest.fixture(autouse=True)
def recorder() -> None:
    """There is none here: its sockets would be counted."""


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("rendezvous-")]


def sockets() -> set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # that of the listing itself
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def nobody_is_left() -> None:
    """Handlers of other tests may still be saying goodbye; a thread that ends does so when it gets its turn."""
    eventually(lambda: not threads(), "threads have ended")


@pytest.fixture
def met(run: Run, node: Callable[..., Node], all_nodes: list[Node]) -> tuple[list[Node], set[str]]:
    """Two nodes in a round, kept by nobody else, and the sockets that were open before there were any nodes."""
    run.create(minNodes=2, heartbeatSeconds=1)
    run.events("RoundFormed")
    nobody_is_left()
    before = sockets()
    nodes = [node(), node()]
    meet(*nodes)
    assert len(threads()) == 4, "a watch and a heartbeat each"
    assert sockets() - before
    for one in nodes:
        assert one.wait_for_threads(5)
    all_nodes.clear()
    return nodes, before


def test_after_shutdown_no_thread_and_no_socket_remains(met: tuple[list[Node], set[str]]) -> None:
    nodes, before = met
    for one in nodes:
        assert one.handler.shutdown()
    nobody_is_left()
    eventually(lambda: not sockets() - before, "its sockets are closed")


def test_after_the_garbage_collection_of_a_handler_no_thread_and_no_socket_remains(
    met: tuple[list[Node], set[str]],
) -> None:
    nodes, before = met
    nodes.clear()
    gc.collect()
    nobody_is_left()
    eventually(lambda: gc.collect() >= 0 and not sockets() - before, "its sockets are closed")


def test_shutdown_of_a_node_that_waits_gives_its_port_back(
    run: Run, node: Callable[..., Node], all_nodes: list[Node]
) -> None:
    run.create(minNodes=2)
    nobody_is_left()
    before = sockets()
    one = node()
    waiting = one.join()
    run.until_members(1)
    assert one.handler.shutdown()
    with pytest.raises(RendezvousClosedError):
        waiting.result(60)
    nobody_is_left()
    eventually(lambda: not sockets() - before, "its sockets are closed")


def test_shutdown_before_the_first_join_does_nothing(node: Callable[..., Node]) -> None:
    one = node()
    assert one.handler.shutdown()
    assert one.requests == []
    assert one.handler.shutdown()
