"""What the tests of `kubectl rendezvous` need: the command, and a scene on the real API server."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

from integration.kubectl.scene import Scene, scene_in
from rendezvous_local.cluster import Cluster

COMMAND_SECONDS = 120.0

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", autouse=True)
def nobody_else(cluster: Cluster) -> None:
    """Only where no scheduler, kubelet or operator of others has a say about our objects."""
    if cluster.control_plane is None:
        pytest.skip("pods that are objects only need the local control plane: unset KUBECONFIG")


@pytest.fixture
def environment(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """Variables under which the command finds the cluster, but not the test's namespace."""
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "127.0.0.1", "COLUMNS": "80"}


@pytest.fixture
def command(environment: Mapping[str, str], namespace: str) -> Command:
    """``command("explain", "run")``: `kubectl rendezvous` in the test's namespace, without a terminal."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kubectl_rendezvous", "-n", namespace, *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def scene(cluster: Cluster, namespace: str) -> Iterator[Scene]:
    """The test's namespace, to be filled."""
    with scene_in(cluster, namespace) as scene:
        yield scene
