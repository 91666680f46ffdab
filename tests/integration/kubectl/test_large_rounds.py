"""Every command that shows names shows those of a large round, too, whose status has none."""

import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from integration.kubectl.conftest import Command
from integration.kubectl.scene import Scene
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

NAMES = ("trainer-0", "trainer-1", "trainer-2")


@pytest.fixture(scope="module", autouse=True)
def operator(cluster: Cluster) -> Iterator[None]:
    """For it three are many."""
    with OperatorProcess(cluster.kubeconfig, arguments=["--slices-above=2", "--slice-names=1"]):
        yield


@pytest.fixture(autouse=True)
def round_in_slices(scene: Scene) -> None:
    """One of three stands."""
    assert scene.round_of(*NAMES).status.is_unread


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["explain", "run"], [f"{name}-x" for name in NAMES]),
        (["list"], ["Active", "trainer-0-x"]),
        (["history", "run", "-o", "json"], ["trainer-0-x", "trainer-1-x", "trainer-2-x"]),
        (["plan", "run", "--lose", "trainer-1", "--add", "1"], ["trainer-0-x"]),
    ],
    ids=lambda given: given[0],
)
def test_a_command_shows_the_names(command: Command, arguments: list[str], shown: list[str]) -> None:
    said = command(*arguments)
    assert said.returncode == 0, said.stderr
    assert all(name in said.stdout for name in shown), said.stdout


def test_the_clients_own_status_shows_the_names(environment: Mapping[str, str], namespace: str) -> None:
    arguments = [sys.executable, "-m", "kube_rendezvous.command", "status", "--name", "run", "--namespace", namespace]
    said = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert all(f"{name}-x" in said.stdout for name in NAMES), said.stdout
