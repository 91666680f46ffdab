"""Trainers that survive, on a real API server with an operator."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.runs import Run
from integration.recorder import Recorder
from integration.survival.lone_trainer import LoneTrainer
from integration.survival.surviving_node import SurvivingNode
from integration.survival.warm_trainers import WarmTrainers
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

Start = Callable[..., SurvivingNode]
StartAlone = Callable[..., LoneTrainer]


@pytest.fixture
def watched(operator: OperatorProcess, recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture
def run(watched: None, anybody: Connection, namespace: str) -> Run:
    """The Rendezvous of this test: not created yet."""
    return Run(anybody, namespace, "run")


@pytest.fixture
def where(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The variables that say which cluster and which Rendezvous."""
    return {
        "KUBECONFIG": str(cluster.kubeconfig),
        "KUBE_RENDEZVOUS_NAME": "run",
        "KUBE_RENDEZVOUS_NAMESPACE": namespace,
        "KUBE_RENDEZVOUS_NNODES": "1:8",
    }


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmTrainers]:
    """Trainers that have imported everything before they start."""
    with WarmTrainers(tmp_path_factory.mktemp("warm")) as trainers:
        yield trainers


@pytest.fixture
def start(where: dict[str, str], warm: WarmTrainers, tmp_path: Path) -> Iterator[Start]:
    """``start("node-0", "--max-restarts=1", engine="re-init", workers=2)``: a node whose trainer survives."""
    made: list[SurvivingNode] = []

    def begin(name: str, *options: str, workers: int = 2, **of_trainer: object) -> SurvivingNode:
        trainer_options = [f"--{key.replace('_', '-')}={value}" for key, value in of_trainer.items()]
        made.append(
            SurvivingNode(
                name,
                tmp_path,
                where,
                trainer=warm.command,
                workers=workers,
                options=options,
                trainer_options=trainer_options,
            )
        )
        return made[-1]

    yield begin
    for node in made:
        node.process.resume()
        node.process.kill()


@pytest.fixture
def start_alone(cluster: Cluster, run: Run, tmp_path: Path) -> Iterator[StartAlone]:
    """``start_alone(0, "mesh_trainer.py", "re-init")``: a trainer that takes part by itself, without a launcher."""
    made: list[LoneTrainer] = []

    def begin(number: int, trainer: str, *arguments: str) -> LoneTrainer:
        environment = {"KUBECONFIG": str(cluster.kubeconfig)}
        made.append(LoneTrainer(run, number, trainer, arguments, tmp_path, environment))
        return made[-1]

    yield begin
    for node in made:
        node.process.kill()
