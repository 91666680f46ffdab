"""The rights that the operator needs, and that the manifests for it give: with exactly these nothing is refused."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from integration.replicas.replicas import LEASE_NAME, LIMIT, until_leading
from integration.replicas.test_takeover import lose
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

NAMESPACED: list[dict[str, Any]] = [
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvous"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvous/status"], "verbs": ["update"]},
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvousmembers"], "verbs": ["list", "watch", "delete"]},
    {
        "apiGroups": ["rendezvous.dev"],
        "resources": ["rendezvousslices"],
        "verbs": ["get", "list", "watch", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [LEASE_NAME],
        "verbs": ["get", "update"],
    },
]
CLUSTER_WIDE: list[dict[str, Any]] = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]


@pytest.fixture
def kubeconfig(cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path) -> Path:
    """Of a service account with these rights and no others."""

    def run(*arguments: str, manifest: dict[str, Any] | None = None) -> str:
        stdin = json.dumps(manifest) if manifest is not None else None
        answer = kubectl("-n", namespace, *arguments, stdin=stdin)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    name = f"operator-of-{namespace}"
    account = f"--serviceaccount={namespace}:operator"
    run("create", "serviceaccount", "operator")
    for kind, rules in (("Role", NAMESPACED), ("ClusterRole", CLUSTER_WIDE)):
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name},
            "rules": rules,
        }
        run("create", "-f", "-", manifest=role)
    run("create", "rolebinding", name, f"--role={name}", account)
    run("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for entry in config["users"]:
        entry["user"] = {"token": run("create", "token", "operator").strip()}
    file = tmp_path / "kubeconfig-of-the-operator"
    file.write_text(json.dumps(config))
    return file


def test_with_exactly_these_rights_nothing_is_refused(
    kubeconfig: Path, namespace: str, runs: Callable[[str], Run], node: Callable[..., Node], tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    arguments = ["--namespace", namespace, "--lease-namespace", namespace, "--leader-elect", "--lease-name", LEASE_NAME]
    arguments += ["--slices-above", "1", "--slice-names", "1"]
    with OperatorProcess(kubeconfig, log=log, arguments=arguments) as operator:
        until_leading(operator)
        run = runs("run").create(minNodes=2, ranking={"topologyKeys": ["topology.kubernetes.io/zone"]})
        survivor, lost, newcomer = (node(run) for _ in range(3))
        meet(survivor, lost)
        lose(run, lost)
        eventually(lambda: survivor.told, "the survivor is told", LIMIT)
        meet(survivor, newcomer)
        eventually(lambda: run.events("RoundFormed"), "events are posted", LIMIT)
        newcomer.handler.shutdown()  # its Member is deleted by the operator when the closing is recorded
        run.until(lambda status: status.closed is not None, "closed", LIMIT)
        eventually(lambda: len(run.members()) < 2, "the member that has left is deleted", LIMIT)
        assert not [c for c in run.status.conditions if c.type == "TopologyUnknown"]
        metrics = operator.page("/metrics")
        assert 'code="403"' not in metrics
        assert 'kube_rendezvous_api_requests_total{code="200",verb="DELETE"}' in metrics
        operator.stop()
    assert "orbidden" not in log.read_text(), "kopf was refused nothing, either"
    assert operator.exit_code == 0
