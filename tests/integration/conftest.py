"""A real API server for the tests: one for the session, an operator for each module, a namespace for each test."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from integration.recorder import Recorder
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL, SLICE_PLURAL
from kube_rendezvous.resources.names import collection_path
from rendezvous_local.cluster import Cluster
from rendezvous_local.cluster import cluster as running_cluster
from rendezvous_local.operator_process import OperatorProcess

KUBECTL_SECONDS = 120.0
"""More than the minute after which an API server ends a request."""

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of ``KUBECONFIG`` or a new local one, with the CustomResourceDefinitions applied."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Runs kubectl on the cluster: ``kubectl("get", "rdzv", "-n", namespace)``; ``stdin=…`` for ``-f -``."""
    # A cache of its own: local clusters take turns on a port, and what one serves the next may not.
    cache = tmp_path_factory.mktemp("kubectl-cache")
    common = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", f"--cache-dir={cache}"]
    environment = {**os.environ, "KUBERC": "off"}

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*common, *arguments],
            input=stdin if stdin is not None else "",
            env=environment,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def namespace(cluster: Cluster, kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own."""
    manifest = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}'
    created = kubectl("create", "-f", "-", "-o", "jsonpath={.metadata.name}", stdin=manifest)
    assert created.returncode == 0, created.stderr
    name = created.stdout
    yield name
    if cluster.control_plane is None:
        kubectl("delete", "namespace", name, "--wait=false")
    else:  # nobody runs there who would empty a deleted namespace
        empty(kubectl, name)


def empty(kubectl: Kubectl, namespace: str) -> None:
    """Every Rendezvous and Member of a namespace is deleted: a request a kind, for a flood leaves thousands.

    A server ends a request after a minute, whatever is deleted by then; the next one goes on.
    """
    for plural in (RENDEZVOUS_PLURAL, MEMBER_PLURAL, SLICE_PLURAL):
        attempts = (kubectl("delete", "--raw", collection_path(plural, namespace)) for _ in range(10))
        assert any(attempt.returncode == 0 for attempt in attempts), f"{plural} of {namespace} are still being deleted"


@pytest.fixture(scope="module")
def anybody(cluster: Cluster) -> Iterator[Connection]:
    """A connection with every right."""
    connection = Connection.open(str(cluster.kubeconfig))
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def operator_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `operator` writes."""
    return tmp_path_factory.mktemp("operator") / "operator.log"


@pytest.fixture(scope="module")
def operator(cluster: Cluster, operator_log: Path) -> Iterator[OperatorProcess]:
    """A running operator; a test that ends it must start it again."""
    with OperatorProcess(cluster.kubeconfig, log=operator_log) as operator:
        yield operator
        assert operator.restarts == 0, f"the operator ended unasked:\n{operator_log.read_text()[-3000:]}"


@pytest.fixture
def recorder(cluster: Cluster, namespace: str) -> Iterator[Recorder]:
    """Sees every version of what is in the test's namespace, and fails the test if an invariant was broken."""
    connection = Connection.open(str(cluster.kubeconfig))
    with Recorder(connection, namespace) as recorder:
        yield recorder
    connection.close()


@pytest.fixture
def apply(
    kubectl: Kubectl, namespace: str
) -> Callable[[str, str, Mapping[str, Any]], subprocess.CompletedProcess[str]]:
    """``apply(kind, name, spec)``: `kubectl apply` of one of our resources in the test's namespace."""

    def run(kind: str, name: str, spec: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        manifest = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
        return kubectl("apply", "-f", "-", "-n", namespace, stdin=json.dumps(manifest))

    return run


@pytest.fixture
def get(kubectl: Kubectl, namespace: str) -> Callable[[str, str], dict[str, Any]]:
    """``get(resource, name)``: one object of the test's namespace, which must be there."""

    def run(resource: str, name: str) -> dict[str, Any]:
        answer = kubectl("get", resource, name, "-n", namespace, "-o", "json")
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    return run
