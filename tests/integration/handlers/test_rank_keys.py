"""A round of some hundred members has its names in slices, but keys in the status: nobody reads a slice for a rank."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from integration.handlers.test_rare_heartbeats import LOOKED_UP_SECONDS, TESTS, hears_its_neighbours
from integration.handlers.test_slices import lose_one
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]

NODES = 5
SOME_HUNDRED = ("--slices-above=2", "--slice-names=8")


@pytest.fixture
def usual(cluster: Cluster, operator_log: Path) -> Iterator[OperatorProcess]:
    """For whom five are some hundred."""
    with OperatorProcess(cluster.kubeconfig, log=operator_log, arguments=SOME_HUNDRED) as operator:
        yield operator


@pytest.fixture
def seldom(cluster: Cluster, operator_log: Path) -> Iterator[OperatorProcess]:
    """The same, and they make heartbeats rare, too."""
    module, environment = "integration.handlers.operator_with_rare_heartbeats", {"PYTHONPATH": str(TESTS)}
    with OperatorProcess(
        cluster.kubeconfig, log=operator_log, arguments=SOME_HUNDRED, environment=environment, module=module
    ) as operator:
        yield operator


def slices_read(nodes: list[Node]) -> list[str]:
    return [asked.path for one in nodes for asked in one.requests if "rendezvousslices" in asked.path]


@pytest.mark.usefixtures("usual")
def test_members_find_their_ranks_and_those_of_the_next_round_and_read_no_slice(run: Run, node: MakeNode) -> None:
    run.create(minNodes=NODES, maxNodes=NODES, lastCallSeconds=1, heartbeatSeconds=300)
    nodes = [node(NODES, NODES) for _ in range(NODES)]
    meet(*nodes)
    run.change_and_wait(minNodes=NODES - 1)
    first = run.status
    assert first.sliced is not None
    assert {one.name for one in run.members()} == set(first.ranks), "the slices name them all the same"
    meet(*lose_one(run, nodes))
    assert run.status.world_size == NODES - 1
    assert slices_read(nodes) == []


@pytest.mark.usefixtures("seldom")
def test_those_who_watch_each_other_read_who_they_are_while_they_run(run: Run, node: MakeNode) -> None:
    run.create(minNodes=NODES, maxNodes=1000, lastCallSeconds=1, lateJoiners="Wait")
    nodes = [node(NODES, 1000, watch_neighbours="true") for _ in range(NODES)]
    meet(*nodes)
    run.until(lambda status: status.round and status.heartbeat_seconds >= 20, "heartbeats are rare")
    eventually(lambda: all(map(hears_its_neighbours, nodes)), "everybody hears whom it watches", LOOKED_UP_SECONDS)
    assert len(slices_read(nodes)) == NODES, "each read the one that holds it, once"
