"""The chart as helm renders it, and as the API server of the tests has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def installed(cluster: Cluster, kubectl: Kubectl, helm: Path) -> Iterator[str]:
    """The chart, applied with trainers in `TRAINERS`; the namespace of the operator."""
    if cluster.control_plane is None:
        pytest.skip("applies the chart without helm's records: unset KUBECONFIG")
    for namespace in (SYSTEM, TRAINERS):
        kubectl("create", "namespace", namespace)
    manifests = render(helm, "--set", f"trainers.namespaces={{{TRAINERS}}}", namespace=SYSTEM)
    applied = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifests)
    assert applied.returncode == 0, applied.stderr
    yield SYSTEM
    kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "kube-rendezvous-members")
