"""The chart is right by helm, by its schema, by the API server, and equal to what is generated from it."""

import subprocess
from pathlib import Path

import pytest

from integration.chart.conftest import take_away
from integration.conftest import Kubectl
from rendezvous_chart.crd_templates import CHART, TOP, crd_templates
from rendezvous_chart.plain_manifests import RenderError, plain_manifests, render

pytestmark = pytest.mark.timeout(300)


def test_lint_finds_nothing(helm: Path) -> None:
    done = subprocess.run([helm, "lint", "--strict", CHART], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_templates_of_the_crds_are_those_of_crds() -> None:
    for file, content in crd_templates().items():
        assert file.read_text() == content, "run: PYTHONPATH=deploy/development python -m rendezvous_chart"


def test_the_plain_manifests_are_what_the_chart_renders(helm: Path) -> None:
    for file, content in plain_manifests(helm).items():
        assert file.read_text() == content, "run: PYTHONPATH=deploy/development python -m rendezvous_chart"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("replicas=3", "additional properties 'replicas' not allowed"),
        ("operator.worker=3", "additional properties 'worker' not allowed"),
        ("replicaCount=0", "minimum"),
        ("replicaCount=two", "got string, want integer"),
        ("operator.leaseSeconds=1", "minimum"),
        ("operator.logLevel=loud", "value must be one of"),
        ("operator.port=80", "minimum"),
        ("image.repository=", "minLength"),
        ("image.pullPolicy=Sometimes", "value must be one of"),
        ("image.digest=latest", "does not match pattern"),
        ("image.pullSecrets[0].key=x", "anyOf"),
        ("operator.env.HTTPS_PROXY=x", "got object, want array"),
        ("podDisruptionBudget.maxUnavailable=true", "got boolean"),
        ("watchNamespaces={Upper}", "does not match pattern"),
        ("watchNamespaces=a", "got string, want array"),
        ("crds.install=7", "got number, want boolean"),
        ("networkPolicy.apiServerAddresses={10.96.0.1}", "does not match pattern"),
        ("metrics.serviceMonitor.interval=often", "does not match pattern"),
    ],
)
def test_a_wrong_value_is_refused(helm: Path, value: str, says: str) -> None:
    with pytest.raises(RenderError) as refused:
        render(helm, "--set", value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["watchNamespaces={default}", "topology.enabled=false"],
        ["replicaCount=1", "operator.priorityClassName=system-cluster-critical", "crds.install=false"],
        ["trainers.namespaces={default}", "trainers.rendezvousNames={my-run}", "trainers.createRendezvous=false"],
        [
            "networkPolicy.apiServerAddresses={10.96.0.1/32,fd00::1/128}",
            "trainers.namespaces={default}",
            "trainers.networkPolicy.enabled=true",
        ],
        [r"memberGuard.exemptUsers={system:serviceaccount:a:b}", r"memberGuard.exemptExpressions={1 == 2}"],
    ],
    ids=["default", "namespaced", "one-replica", "trainers", "network policy", "exemptions"],
)
def test_the_api_server_takes_what_is_rendered(helm: Path, kubectl: Kubectl, values: list[str]) -> None:
    options = [part for value in values for part in ("--set", value)]
    manifests = render(helm, *options, namespace="default")
    answer = kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=manifests,
    )
    assert answer.returncode == 0, answer.stderr


def test_kustomize_applies_the_plain_manifests(local_only: None, kubectl: Kubectl) -> None:
    folder = str(TOP / "deploy" / "kustomize")
    applied = kubectl("apply", "--server-side", "--force-conflicts", "-k", folder)
    take_away(kubectl, kubectl("kustomize", folder).stdout)
    assert applied.returncode == 0, applied.stderr
    assert "deployment.apps/kube-rendezvous serverside-applied" in applied.stdout


def test_the_namespaced_operator_without_topology_has_no_cluster_wide_right(helm: Path) -> None:
    text = render(helm, "--set", "watchNamespaces={a,b}", "--set", "topology.enabled=false")
    assert "kind: ClusterRoleBinding" not in text
    assert "--no-nodes" in text, "or it would ask in vain"
    assert "--no-nodes" not in render(helm)
