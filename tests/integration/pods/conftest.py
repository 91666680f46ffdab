"""Pods that are objects only, members in them, and an operator that watches both."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.pods.owner_objects import MakeOwner, OwnerObject
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects, PodObjects
from integration.pods.pod_run import PodRun
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.membership.identity import Identity
from rendezvous_local.cluster import Cluster

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

END_SECONDS = 15.0


@pytest.fixture(scope="module", autouse=True)
def nobody_else(cluster: Cluster) -> None:
    """Only where no kubelet, garbage collector or cloud has a say about our pods and nodes."""
    if cluster.control_plane is None:
        pytest.skip("pods and nodes that are objects only need the local control plane: unset KUBECONFIG")


@pytest.fixture
def pods(anybody: Connection, namespace: str) -> Iterator[PodObjects]:
    """The pods of the test's namespace."""
    pods = PodObjects(anybody, namespace)
    yield pods
    pods.delete_all()


@pytest.fixture
def nodes(anybody: Connection) -> Iterator[NodeObjects]:
    """Nodes of the cluster, which end with the test."""
    nodes = NodeObjects(anybody)
    yield nodes
    nodes.delete_all()


@pytest.fixture
def run(anybody: Connection, namespace: str) -> Iterator[PodRun]:
    """The Rendezvous of this test: not created yet; closed at the end, so that nobody waits for it."""
    run = PodRun(anybody, namespace, "run")
    yield run
    with contextlib.suppress(ApiFailureError):
        run.close()


@pytest.fixture
def member(anybody: Connection, namespace: str, run: PodRun) -> Iterator[Callable[[Identity], PodMember]]:
    """``member(identity)``: a handler in that pod, for the Rendezvous ``run``."""
    made: list[PodMember] = []

    def make(identity: Identity) -> PodMember:
        made.append(PodMember(anybody, namespace, run.name, identity))
        return made[-1]

    yield make
    with contextlib.suppress(ApiFailureError):
        run.close()
    stuck = [one.identity.name_prefix for one in made if not one.threads_end(END_SECONDS)]
    for one in made:
        one.fall_silent()
    assert not stuck, f"{stuck} still wait although their Rendezvous is closed"


@pytest.fixture
def owner(anybody: Connection, namespace: str) -> Iterator[MakeOwner]:
    """``owner("StatefulSet", "trainer", replicas=4)``: ends with the test."""
    made: list[OwnerObject] = []

    def make(kind: str, name: str, **spec: Any) -> OwnerObject:
        made.append(OwnerObject(anybody, namespace, kind, name, "run", **spec))
        return made[-1]

    yield make
    for one in made:
        one.delete()


@pytest.fixture
def kubeconfig_for(cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path) -> Callable[..., Path]:
    """``kubeconfig_for("name", *rules)``: of a service account with these rights in the test's namespace only."""

    def make(name: str, *rules: dict[str, Any]) -> Path:
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": list(rules),
        }
        for arguments, stdin in (
            (["create", "serviceaccount", name], None),
            (["create", "-f", "-"], json.dumps(role)),
            (["create", "rolebinding", name, f"--role={name}", f"--serviceaccount={namespace}:{name}"], None),
        ):
            answer = kubectl("-n", namespace, *arguments, stdin=stdin)
            assert answer.returncode == 0, answer.stderr
        token = kubectl("-n", namespace, "create", "token", name).stdout.strip()
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        for entry in config["users"]:
            entry["user"] = {"token": token}
        file = tmp_path / f"kubeconfig-{name}"
        file.write_text(json.dumps(config))
        return file

    return make
