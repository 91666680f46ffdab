"""How many requests a node makes: few, and none at all for what torchrun asks ten times a second."""

from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run

pytestmark = pytest.mark.usefixtures("operator")

NO_HEARTBEAT = {"heartbeatSeconds": 300}


def test_a_node_joins_a_rendezvous_that_is_there_with_two_requests(run: Run, node: Callable[..., Node]) -> None:
    run.create(minNodes=3, maxNodes=3, **NO_HEARTBEAT)
    run.until_settled()
    nodes = [node(3, 3) for _ in range(3)]
    meet(*nodes)
    for one in nodes:
        assert [(asked.method, asked.status) for asked in one.requests] == [("POST", 201), ("GET", 200)], one.requests


def test_a_node_makes_at_most_five_requests_until_its_first_round(run: Run, node: Callable[..., Node]) -> None:
    run.create(minNodes=3, maxNodes=3, **NO_HEARTBEAT)
    nodes = [node(3, 3) for _ in range(3)]
    meet(*nodes)
    for one in nodes:
        assert [request.method for request in one.requests].count("POST") == 1
        assert len(one.requests) <= 5, one.requests


def test_a_node_makes_at_most_five_requests_also_when_it_creates_the_rendezvous(
    run: Run, node: Callable[..., Node]
) -> None:
    nodes = [node(), node()]
    meet(*nodes)
    assert run.get() is not None
    for one in nodes:
        assert len(one.requests) <= 5, one.requests


def test_a_node_makes_one_patch_for_each_later_round(run: Run, node: Callable[..., Node]) -> None:
    run.create(minNodes=2, maxNodes=2, **NO_HEARTBEAT)
    run.until_settled()  # else each node's second write may end after the first round began
    restarted, told = nodes = [node(), node()]
    meet(*nodes)
    made = [len(one.requests) for one in nodes]
    for _ in range(3):
        first = restarted.join()
        eventually(lambda: told.told, "the other member is told that one joined again")
        await_round(nodes, [first, told.join()])
    assert restarted.round == 4
    for one, before in zip(nodes, made, strict=True):
        assert [request.method for request in one.requests[before:]] == ["PATCH"] * 3


def test_asking_for_waiting_nodes_makes_no_request(run: Run, node: Callable[..., Node]) -> None:
    run.create(minNodes=1, maxNodes=1, **NO_HEARTBEAT)
    run.until_settled()
    one = node(1, 1)
    meet(one)
    made = len(one.requests)
    for _ in range(1000):
        assert one.handler.num_nodes_waiting() == 0
    assert len(one.requests) == made


def test_asking_for_waiting_nodes_before_the_first_join_connects_to_nothing(node: Callable[..., Node]) -> None:
    one = node()
    assert one.handler.num_nodes_waiting() == 0
    assert one.requests == []
