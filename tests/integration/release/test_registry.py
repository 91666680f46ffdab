"""The chart that a release pushes to a registry is the one that was signed, and installs from there alone."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.conftest import Kubectl
from rendezvous_local.binaries import find_or_build
from rendezvous_local.cluster import Cluster
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import CRANE, HELM
from rendezvous_local.readiness import answers_ok, wait_until_ready
from rendezvous_release.checkout import stage
from rendezvous_release.errors import ReleaseError
from rendezvous_release.packages import build_chart, push_chart

VERSION = "7.8.9"
READY_SECONDS = 60.0
HELM_SECONDS = 180.0

Helm = Callable[..., str]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real registry on this machine; HOST:PORT."""
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    command = [str(find_or_build(CRANE)), "registry", "serve", "--address", address, "--disk", str(folder)]
    process = ChildProcess("registry", command, log=folder.with_suffix(".log"))
    process.start()
    try:
        wait_until_ready(
            "the registry", lambda: answers_ok(f"http://{address}/v2/"), seconds=READY_SECONDS, processes=[process]
        )
        yield address
    finally:
        process.kill()


@pytest.fixture(scope="module")
def chart(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of a release, pushed."""
    folder = tmp_path_factory.mktemp("chart")
    archive = build_chart(stage(folder / "source", VERSION), folder)
    push_chart(archive, f"oci://{registry}/charts")
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
    helm("pull", f"oci://{registry}/charts/kube-rendezvous", "--version", VERSION, "--plain-http")
    assert (tmp_path / chart.name).read_bytes() == chart.read_bytes()


def test_the_chart_installs_from_the_registry(
    registry: str, chart: Path, helm: Helm, cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    if cluster.control_plane is None:
        pytest.skip("installs cluster-wide objects: unset KUBECONFIG")
    where = ("--namespace", namespace, "--plain-http", "--version", VERSION)
    # The definitions are there already in the tests' cluster, and are not this release's.
    helm("install", "it", f"oci://{registry}/charts/kube-rendezvous", *where, "--set", "crds.install=false")
    try:
        found = kubectl("get", "deployments", "-n", namespace, "-o", "json")
        (deployment,) = json.loads(found.stdout)["items"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"].endswith(f"/operator:{VERSION}")
    finally:
        helm("uninstall", "it", "--namespace", namespace, "--no-hooks")


def test_a_target_that_is_no_registry_is_refused(chart: Path) -> None:
    with pytest.raises(ReleaseError, match="oci://REGISTRY"):
        push_chart(chart, "https://example.org/charts")
