"""The chart as helm renders it, and as the API server of the tests has it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from integration.conftest import Kubectl
from rendezvous_chart.plain_manifests import render
from rendezvous_local.binaries import find_or_build
from rendezvous_local.cluster import Cluster
from rendezvous_local.programs import HELM

SYSTEM = "chart-system"
TRAINERS = "chart-trainers"


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned helm."""
    return find_or_build(HELM)


@contextmanager
def applied(kubectl: Kubectl, helm: Path, system: str, *values: str) -> Iterator[None]:
    """The chart, applied in the namespace `system` with trainers in `TRAINERS`.

    With the block all of it ends but the definitions: other tests of this cluster would find an operator installed.
    """
    for namespace in (system, TRAINERS):
        kubectl("create", "namespace", namespace)
    options = [part for value in (f"trainers.namespaces={{{TRAINERS}}}", *values) for part in ("--set", value)]
    manifests = render(helm, *options, namespace=system)
    done = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifests)
    assert done.returncode == 0, done.stderr
    yield
    take_away(kubectl, manifests)


def take_away(kubectl: Kubectl, manifests: str) -> None:
    """Delete all of it but the definitions and the namespaces."""
    kept = ("CustomResourceDefinition", "Namespace")
    rest = [one for one in yaml.safe_load_all(manifests) if one and one["kind"] not in kept]
    done = kubectl("delete", "--ignore-not-found", "-f", "-", stdin=yaml.safe_dump_all(rest))
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def local_only(cluster: Cluster) -> None:
    """Pods are objects only, and the chart is applied without helm's records."""
    if cluster.control_plane is None:
        pytest.skip("applies the chart without helm's records: unset KUBECONFIG")


@pytest.fixture(scope="module")
def installed(local_only: None, kubectl: Kubectl, helm: Path) -> Iterator[str]:
    """The chart by default; the namespace of the operator."""
    with applied(kubectl, helm, SYSTEM):
        yield SYSTEM


@pytest.fixture
def kubeconfig_of(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> Callable[..., Path]:
    """``kubeconfig_of(namespace, account, *bound)``: with a token of that service account."""

    def make(namespace: str, account: str, *bound: str) -> Path:
        made = kubectl("-n", namespace, "create", "token", account, *bound)
        assert made.returncode == 0, made.stderr
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        for entry in config["users"]:
            entry["user"] = {"token": made.stdout.strip()}
        file = tmp_path / f"kubeconfig-{len(list(tmp_path.iterdir()))}"
        file.write_text(json.dumps(config))
        return file

    return make
