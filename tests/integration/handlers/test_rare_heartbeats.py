"""Where many members make heartbeats rare, one that hangs is known within half a minute all the same: its neighbours
miss it, and the operator asks. Cut links and lies cost nobody a place."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.resources.neighbours import watched_by
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]
TESTS = Path(__file__).parents[2]

MEMBERS = 8
KNOWN_WITHIN_SECONDS = 30.0
LOOKED_UP_SECONDS = 150.0
"""Addresses are looked up within half an interval, here 40 s, and 30 s after a try that failed."""


@pytest.fixture(scope="module")
def operator(cluster: Cluster, operator_log: Path) -> Iterator[OperatorProcess]:
    environment = {"PYTHONPATH": str(TESTS)}
    module = "integration.handlers.operator_with_rare_heartbeats"
    with OperatorProcess(cluster.kubeconfig, log=operator_log, environment=environment, module=module) as operator:
        yield operator


@pytest.fixture
def large(run: Run) -> Run:
    """A rendezvous that may become so large that its members open a port for their neighbours."""
    return run.create(minNodes=2, maxNodes=1000, lastCallSeconds=3, lateJoiners="Wait")


@pytest.fixture
def frozen_one(cluster: Cluster, namespace: str) -> Iterator["subprocess.Popen[str]"]:
    """A node in a process."""
    arguments = [sys.executable, "-m", "integration.handlers.node_process", str(cluster.kubeconfig), namespace, "9"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(arguments, env=environment, text=True) as process:
        yield process
        process.kill()


def watch_of(node: Node) -> Any:
    session = node.handler._session
    assert session is not None
    return session._life._neighbours


def hears_its_neighbours(node: Node) -> bool:
    watched = list(watch_of(node)._neighbours._watched.values())
    return len(watched) == 2 and all(one.heard is not None for one in watched)


def round_with_rare_heartbeats(run: Run, nodes: list[Node]) -> None:
    run.until(lambda status: status.round and status.heartbeat_seconds >= 40, "heartbeats are rare")
    eventually(lambda: all(map(hears_its_neighbours, nodes)), "everybody hears whom it watches", LOOKED_UP_SECONDS)


def heartbeats(nodes: list[Node]) -> int:
    return sum(request.method == "PATCH" for node in nodes for request in node.requests)


def test_a_frozen_process_is_told_to_the_others_long_before_it_misses_its_heartbeats(
    large: Run, node: MakeNode, frozen_one: "subprocess.Popen[str]"
) -> None:
    others = [node(2, 1000, watch_neighbours="true") for _ in range(MEMBERS - 1)]
    large.until_members(1)  # the process is slow to start, and who comes late waits for another round
    joins = [one.join() for one in others]
    for join in joins:
        join.result(60)
    large.until(lambda status: status.world_size == MEMBERS, "all eight have a rank")
    round_with_rare_heartbeats(large, others)
    frozen = large.member_in("9")
    assert frozen is not None
    before = heartbeats(others)
    frozen_one.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    eventually(lambda: all(one.told for one in others), "the others are told", KNOWN_WITHIN_SECONDS)
    took = time.monotonic() - began
    assert heartbeats(others) - before < MEMBERS + 2 * took * MEMBERS / 40
    large.until_told("HeartbeatLost", f"{frozen.name} has not answered")


def test_members_that_do_not_hear_each_other_lose_nothing_while_each_reaches_the_api_server(
    large: Run, node: MakeNode
) -> None:
    nodes = [node(2, MEMBERS, watch_neighbours="true") for _ in range(MEMBERS)]  # who expects few names a port later
    await_round(nodes, [one.join() for one in nodes])
    round_with_rare_heartbeats(large, nodes)
    number = large.status.round
    cut = large.member_in("3")
    assert cut is not None
    watch_of(nodes[3])._works = lambda: False
    status = large.until(lambda status: status.questions, "somebody asks", KNOWN_WITHIN_SECONDS)
    assert [question.member for question in status.questions] == [cut.name]
    eventually(lambda: large.member_in("3").renew_time != cut.renew_time, "it answers", 5)  # type: ignore[union-attr]
    asked_at = time.monotonic()
    eventually(lambda: time.monotonic() - asked_at > 14, "the time for an answer is over", 20)
    assert (large.status.round, large.status.forming) == (number, None)
    assert not any(one.told for one in nodes)


def test_who_lies_about_others_makes_one_question_for_each_neighbour_at_the_most(
    large: Run, node: MakeNode, anybody: Connection
) -> None:
    nodes = [node(2, 1000, watch_neighbours="true") for _ in range(MEMBERS)]
    await_round(nodes, [one.join() for one in nodes])
    before = large.until(lambda status: status.heartbeat_seconds >= 40, "heartbeats are rare")
    liar = before.ranks[0]
    neighbours = [before.ranks[rank] for rank in watched_by(0, MEMBERS)]
    path = object_path(MEMBER_PLURAL, large.namespace, liar)
    for accused in (before.ranks[4:6], neighbours):
        wish = {"spec": {"suspects": list(accused)}}
        anybody.request("PATCH", path, body=wish, content_type=MERGE_PATCH)
    asked = large.until(lambda status: status.questions, "somebody is asked")
    assert {question.member for question in asked.questions} <= set(neighbours)
    asked_at = time.monotonic()
    eventually(lambda: time.monotonic() - asked_at > 14, "the time for an answer is over", 20)
    assert (large.status.round, large.status.forming) == (before.round, None)
