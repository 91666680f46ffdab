"""The chart that a release pushes to a registry is the one that was made, and installs from there alone."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.conftest import Kubectl
from integration.release.local_registry import local_registry
from rendezvous_local.binaries import find_or_build
from rendezvous_local.cluster import Cluster
from rendezvous_local.programs import HELM
from rendezvous_release.checkout import stage
from rendezvous_release.packages import build_chart
from rendezvous_release.registry import Registry

VERSION = "7.8.9"
HELM_SECONDS = 180.0

Helm = Callable[..., str]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real registry on this machine; HOST:PORT."""
    with local_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def chart(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of a release, pushed."""
    folder = tmp_path_factory.mktemp("chart")
    target = Registry(f"oci://{registry}/team")
    archive = build_chart(stage(folder / "source", VERSION, place=target.place), folder)
    target.push_chart(archive)
    return archive


@pytest.fixture
def helm(tmp_path: Path, cluster: Cluster) -> Helm:
    """Runs helm far from any source tree."""

    def run(*arguments: str) -> str:
        command = [str(find_or_build(HELM)), f"--kubeconfig={cluster.kubeconfig}", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HELM_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_what_is_pulled_is_byte_for_byte_what_was_released(
    registry: str, chart: Path, helm: Helm, tmp_path: Path
) -> None:
    helm("pull", f"oci://{registry}/team/charts/kube-rendezvous", "--version", VERSION, "--plain-http")
    assert (tmp_path / chart.name).read_bytes() == chart.read_bytes()


def test_the_chart_installs_from_the_registry(
    registry: str, chart: Path, helm: Helm, cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    if cluster.control_plane is None:
        pytest.skip("installs cluster-wide objects: unset KUBECONFIG")
    where = ("--namespace", namespace, "--plain-http", "--version", VERSION)
    # The definitions are there already in the tests' cluster, and are not this release's.
    helm("install", "it", f"oci://{registry}/team/charts/kube-rendezvous", *where, "--set", "crds.install=false")
    try:
        found = kubectl("get", "deployments", "-n", namespace, "-o", "json")
        (deployment,) = json.loads(found.stdout)["items"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"{registry}/team/kube-rendezvous/operator:{VERSION}"
    finally:
        helm("uninstall", "it", "--namespace", namespace, "--no-hooks")
