"""Replicas of the operator that elect a leader, and nodes at rendezvous of the test's own namespace."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from integration.recorder import Recorder
from integration.replicas.replicas import LEASE_SECONDS, Replicas
from kube_rendezvous.cluster import ApiFailureError, Connection
from rendezvous_local.cluster import Cluster

END_SECONDS = 10.0
NODE_CONFIG: dict[str, Any] = {"join_timeout": 60, "close_timeout": 10, "last_call_timeout": 0}


@pytest.fixture(autouse=True)
def watched(recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture
def replicas(cluster: Cluster, anybody: Connection, namespace: str, tmp_path: Path) -> Iterator[Replicas]:
    """Replicas for the test's namespace, whose lease is there, too; none runs yet."""
    replicas = Replicas(cluster.kubeconfig, anybody, namespace, tmp_path, LEASE_SECONDS)
    yield replicas
    replicas.stop_all()


@pytest.fixture
def all_nodes() -> Iterator[list[Node]]:
    """Every node of the test; they end with it."""
    made: list[Node] = []
    yield made
    for node in made:
        node.over.set()
    for node in made:
        node.wait_for_threads(END_SECONDS)
        node.fall_silent()
        node.connection.close()


@pytest.fixture
def runs(
    replicas: Replicas, anybody: Connection, namespace: str, all_nodes: list[Node]
) -> Iterator[Callable[[str], Run]]:
    """``runs(name)``: a Rendezvous of the test's namespace. Closed at the end, so that nobody waits for it."""
    made: list[Run] = []

    def make(name: str) -> Run:
        made.append(Run(anybody, namespace, name))
        return made[-1]

    yield make
    for run in made:
        with contextlib.suppress(ApiFailureError):
            run.change(closed=True)


@pytest.fixture
def node(cluster: Cluster, namespace: str, all_nodes: list[Node]) -> Callable[..., Node]:
    """``node(run, min_nodes, max_nodes)``: a node with the next free slot."""

    def make(run: Run, min_nodes: int = 2, max_nodes: int = 2) -> Node:
        config = NODE_CONFIG | {"slot": str(len(all_nodes))}
        made = Node(cluster.kubeconfig, namespace, run.name, min_nodes, max_nodes, **config)
        all_nodes.append(made)
        return made

    return make
