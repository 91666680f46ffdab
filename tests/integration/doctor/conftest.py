"""`kubectl rendezvous doctor` on the real API server: as it is, and with the chart applied."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.conftest import applied
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from rendezvous_local.binaries import find_or_build
from rendezvous_local.cluster import Cluster
from rendezvous_local.programs import HELM

SYSTEM = "doctor-system"
COMMAND_SECONDS = 200.0


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor said."""

    status: int
    findings: list[dict[str, str]]
    said: str

    def of(self, check: str) -> list[dict[str, str]]:
        """What it found about one thing."""
        return [finding for finding in self.findings if finding["check"] == check]

    def one(self, check: str, verdict: str) -> dict[str, str]:
        """The one finding about a thing that has this verdict."""
        found = [finding for finding in self.of(check) if finding["verdict"] == verdict]
        assert len(found) == 1, self.findings
        return found[0]


Doctor = Callable[..., Diagnosis]


@pytest.fixture(scope="module", autouse=True)
def nobody_else(cluster: Cluster) -> None:
    """Only where no kubelet or operator of others has a say about our objects."""
    if cluster.control_plane is None:
        pytest.skip("Deployments and pods that are objects only need the local control plane: unset KUBECONFIG")


@pytest.fixture
def environment(cluster: Cluster) -> Mapping[str, str]:
    """Variables under which the command finds the cluster."""
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def doctor(environment: Mapping[str, str], namespace: str) -> Doctor:
    """``doctor("--try")``: its findings in the test's namespace."""

    def run(*arguments: str) -> Diagnosis:
        argv = [sys.executable, "-m", "kubectl_rendezvous", "-n", namespace, "doctor", "-o", "json", *arguments]
        answer = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        assert answer.stdout, answer.stderr
        return Diagnosis(answer.returncode, json.loads(answer.stdout), answer.stderr)

    return run


@pytest.fixture
def follow(kubectl: Any) -> Callable[[str], None]:
    """``follow(finding["mend"])``: runs the kubectl commands that it names."""

    def run(mend: str) -> None:
        for command in mend.split("`")[1].split(" && "):
            done = kubectl(*command.split()[1:])
            assert done.returncode == 0, (command, done.stderr)

    return run


@dataclass(frozen=True)
class Installation:
    """The operator's Deployment and Lease, as objects."""

    connection: Connection

    def ready(self, number: int, message: str = "") -> None:
        """What the Deployment's controller says."""
        available = {"type": "Available", "status": "True" if number else "False", "message": message}
        status = {
            "replicas": 2,
            "readyReplicas": number,
            "availableReplicas": number,
            "conditions": [available],
        }
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/kube-rendezvous/status"
        self.connection.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)

    def lease(self, holder: str, renewed: str, seconds: int) -> None:
        """What a leader wrote and left behind."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
        spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": seconds}
        body = {"metadata": {"name": "kube-rendezvous-operator"}, "spec": spec}
        self.forget_lease()
        self.connection.request("POST", path, body=body)

    def forget_lease(self) -> None:
        """Delete it."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/kube-rendezvous-operator"
        with contextlib.suppress(ApiFailureError):
            self.connection.request("DELETE", path)


@pytest.fixture
def installation(cluster: Cluster, kubectl: Any, anybody: Connection) -> Iterator[Installation]:
    """The chart, applied; nobody runs its pods."""
    with applied(kubectl, find_or_build(HELM), SYSTEM):
        installation = Installation(anybody)
        installation.ready(2)
        yield installation
        installation.forget_lease()
    kubectl("delete", "deployment", "kube-rendezvous", "-n", SYSTEM)


@pytest.fixture
def guest(cluster: Cluster, kubectl: Any, namespace: str, tmp_path: Path) -> Path:
    """A kubeconfig of somebody without any right of their own."""
    kubectl("create", "serviceaccount", "guest", "-n", namespace)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    token = kubectl("create", "token", "guest", "-n", namespace).stdout.strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file = tmp_path / "guest.kubeconfig"
    file.write_text(json.dumps(config))
    return file
