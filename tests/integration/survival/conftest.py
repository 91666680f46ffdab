"""Trainers that survive, on a real API server with an operator."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.runs import Run
from integration.recorder import Recorder
from integration.survival.surviving_node import SurvivingNode
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

Start = Callable[..., SurvivingNode]


@pytest.fixture
def watched(operator: OperatorProcess, recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture
def run(anybody: Connection, namespace: str) -> Run:
    """The Rendezvous of this test: not created yet."""
    return Run(anybody, namespace, "run")


@pytest.fixture
def start(cluster: Cluster, run: Run, tmp_path: Path) -> Iterator[Start]:
    """``start(0, "mesh_trainer.py", "re-init")``: a node with this trainer."""
    made: list[SurvivingNode] = []

    def begin(number: int, trainer: str, *arguments: str) -> SurvivingNode:
        environment = {"KUBECONFIG": str(cluster.kubeconfig)}
        made.append(SurvivingNode(run, number, trainer, arguments, tmp_path, environment))
        return made[-1]

    yield begin
    for node in made:
        node.process.kill()
