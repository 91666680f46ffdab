"""`kube-rendezvous` processes on a real API server with an operator."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.command.sidecar_node import SidecarNode
from integration.command.wrapped_node import TRAINER, WrappedNode
from integration.handlers.runs import Run
from integration.recorder import Recorder
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.ports import free_port

Start = Callable[..., WrappedNode]


@pytest.fixture(autouse=True)
def watched(operator: OperatorProcess, recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture
def run(anybody: Connection, namespace: str) -> Run:
    """The Rendezvous of this test: not created yet."""
    return Run(anybody, namespace, "run")


@pytest.fixture
def start(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Start]:
    """``start("a", "sidecar", "--dir", …, VARIABLE="…")``: a node with some `kube-rendezvous` command."""
    made: list[WrappedNode] = []

    def begin(name: str, command: str, *arguments: str, **environment: str) -> WrappedNode:
        which = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "KUBE_RENDEZVOUS_NAME": "run",
            "KUBE_RENDEZVOUS_NAMESPACE": namespace,
            "KUBE_RENDEZVOUS_NNODES": "1:4",
            "KUBE_RENDEZVOUS_LAST_CALL_TIMEOUT": "0",
        }
        made.append(WrappedNode(name, [command, *arguments], tmp_path, which | environment))
        return made[-1]

    yield begin
    for node in made:
        node.process.kill()


@pytest.fixture
def sidecar(start: Start, tmp_path: Path) -> Callable[..., SidecarNode]:
    """``sidecar("a", "--wait-for-trainer")``: a running sidecar with these options."""

    def begin(name: str, *options: str, **environment: str) -> SidecarNode:
        folder, port = tmp_path / name, free_port()
        folder.mkdir(exist_ok=True)
        listen = f"127.0.0.1:{port}"
        node = start(name, "sidecar", f"--dir={folder}", f"--listen={listen}", *options, **environment)
        return SidecarNode(node, folder, port)

    return begin


@pytest.fixture
def trainer(start: Start, tmp_path: Path) -> Start:
    """``trainer("a", "--grace", "1", stubborn=True)``: a node that runs the recording trainer with these options."""

    def begin(name: str, *options: str, stubborn: bool = False, **environment: str) -> WrappedNode:
        command = [sys.executable, str(TRAINER), str(tmp_path), name, *(["stubborn"] if stubborn else [])]
        return start(name, "run", *options, "--", *command, **environment)

    return begin
