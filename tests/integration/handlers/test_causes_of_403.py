"""403 for other reasons than a missing right, from a real API server: said as what it is."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousConnectionError
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
AT_ONCE_SECONDS = 15.0


def refusal(one: Node) -> str:
    with pytest.raises(RendezvousConnectionError) as refused:
        one.join().result(AT_ONCE_SECONDS)
    assert "create role" not in str(refused.value)
    return str(refused.value)


def test_a_used_up_quota_is_named(
    run: Run, node: Callable[..., Node], kubectl: Kubectl, anybody: Connection, namespace: str
) -> None:
    run.create(minNodes=2)
    full = {"count/rendezvousmembers.rendezvous.dev": "0"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": full}}
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(quota)).returncode == 0
    # What the quota controller would write: none runs in a local control plane.
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/few/status"
    status = {"hard": full, "used": full}
    anybody.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)
    text = refusal(node())
    assert "A ResourceQuota leaves no room for POST of rendezvousmembers.rendezvous.dev" in text
    assert f"exceeded quota: few, requested: {next(iter(full))}=1" in text
    assert f"`kubectl -n {namespace} describe quota`" in text


def test_a_namespace_that_goes_is_said(run: Run, node: Callable[..., Node], kubectl: Kubectl, namespace: str) -> None:
    run.create(minNodes=2)
    run.hold("example.org/hold")
    kubectl("delete", "namespace", namespace, "--wait=false")
    text = refusal(node())
    run.hold()
    assert f"Namespace '{namespace}' is being deleted" in text


def test_whoever_is_nobody_is_told_so_and_no_role_for_nobody(
    run: Run, node: Callable[..., Node], kubeconfig_with: Callable[..., Path]
) -> None:
    run.create(minNodes=2)
    text = refusal(node(kubeconfig=kubeconfig_with(user={})))
    assert "does not know who we are" in text or "does not accept our credentials" in text
    assert "automountServiceAccountToken" in text
