"""Nodes, the Rendezvous they meet at, and the operator, for the tests of handlers without torch."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from integration.recorder import Recorder
from kube_rendezvous.cluster import ApiFailureError, Connection
from rendezvous_local.cluster import Cluster

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

END_SECONDS = 10.0
NODE_CONFIG: dict[str, Any] = {"join_timeout": 60, "close_timeout": 10, "last_call_timeout": 0}


@pytest.fixture(autouse=True)
def watched(recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture(autouse=True)
def never_set_back(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No storage is restored here, and no node may think so: not of a slow answer, nor of a proxy's."""
    yield
    alarms = [record.getMessage() for record in caplog.get_records("call") if "was set back" in record.getMessage()]
    assert not alarms


@pytest.fixture
def all_nodes() -> Iterator[list[Node]]:
    """Every node of the test; they end with it."""
    made: list[Node] = []
    yield made
    for node in made:
        node.over.set()
    stuck = [node.slot for node in made if not node.wait_for_threads(END_SECONDS)]
    for node in made:
        node.fall_silent()
        node.connection.close()
    assert not stuck, f"the nodes in slots {stuck} still wait although their Rendezvous is closed"


@pytest.fixture
def runs(anybody: Connection, namespace: str, all_nodes: list[Node]) -> Iterator[Callable[[str], Run]]:
    """``runs(name)``: a Rendezvous of the test's namespace. Closed at the end, so that nobody waits for it."""
    # `all_nodes` is asked for so that it ends later: who still waits is told first that it is over.
    made: list[Run] = []

    def make(name: str) -> Run:
        made.append(Run(anybody, namespace, name))
        return made[-1]

    yield make
    for run in made:
        with contextlib.suppress(ApiFailureError):
            run.change(closed=True)


@pytest.fixture
def run(runs: Callable[[str], Run]) -> Run:
    """The Rendezvous of this test: not created yet."""
    return runs("run")


@pytest.fixture
def node(cluster: Cluster, namespace: str, all_nodes: list[Node]) -> Callable[..., Node]:
    """``node(min_nodes=…, max_nodes=…, run_id=…, kubeconfig=…, **config)``: a node with the next free slot."""

    def make(
        min_nodes: int = 2,
        max_nodes: int = 2,
        *,
        run_id: str = "run",
        kubeconfig: Path = cluster.kubeconfig,
        **config: Any,
    ) -> Node:
        config = NODE_CONFIG | {"slot": str(len(all_nodes))} | config
        made = Node(kubeconfig, config.pop("namespace", namespace), run_id, min_nodes, max_nodes, **config)
        all_nodes.append(made)
        return made

    return make


@pytest.fixture
def kubeconfig_with(cluster: Cluster, tmp_path: Path) -> Callable[..., Path]:
    """``kubeconfig_with(user={…}, cluster={…})``: the cluster's kubeconfig with another user or other fields."""

    def make(user: dict[str, Any] | None = None, **changes: Any) -> Path:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        if user is not None:
            for entry in config["users"]:
                entry["user"] = user
        for entry in config["clusters"]:
            entry["cluster"].update(changes)
        file = tmp_path / f"kubeconfig-{len(list(tmp_path.iterdir()))}"
        file.write_text(json.dumps(config))
        return file

    return make


@pytest.fixture
def account(kubectl: Kubectl, namespace: str, kubeconfig_with: Callable[..., Path]) -> Callable[..., Path]:
    """``account(rendezvous="get,list,watch")``: a kubeconfig of a service account with these rights and no others."""

    def run(*arguments: str) -> str:
        answer = kubectl("-n", namespace, *arguments)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def make(**rights: str) -> Path:
        run("create", "serviceaccount", "trainer")
        for plural, verbs in rights.items():
            run("create", "role", plural, f"--verb={verbs}", f"--resource={plural}.rendezvous.dev")
            run("create", "rolebinding", plural, f"--role={plural}", f"--serviceaccount={namespace}:trainer")
        return kubeconfig_with(user={"token": run("create", "token", "trainer").strip()})

    return make
