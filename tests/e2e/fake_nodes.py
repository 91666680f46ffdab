"""Nodes that are objects only, each with room for one pod; the scheduler takes them for real ones.

Nothing starts on them. What runs in their pods instead is our client in this process, with each pod's own token.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from e2e.eventually import eventually
from e2e.example_overlay import Patch, add
from e2e.kubectl import Kubectl
from e2e.pods_seen import pods
from e2e.running_example import LABEL
from integration.pods.pod_member import PodMember
from kube_rendezvous.cluster import Connection
from kube_rendezvous.membership.identity import Identity

FAKE = "kube-rendezvous.example/fake"


def only_on(test: str) -> Patch:
    """The example's Job, scheduled to the fake nodes of a test only."""
    return Patch("Job", (add("/spec/template/spec/nodeSelector", {FAKE: test}),))


class FakeNodes:
    """The nodes of one test.

    Args:
        kubectl: of an administrator.
        test: a name that tells them from those of other tests.
    """

    def __init__(self, kubectl: Kubectl, test: str) -> None:
        self._kubectl = kubectl
        self.test = test
        self.names: list[str] = []

    def make(self, name: str, labels: Mapping[str, str]) -> str:
        """Make one that is ready; return its name."""
        full = f"{self.test}-{name}"
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": full, "labels": {FAKE: self.test, **labels}}}
        self._kubectl("create", "-f", "-", stdin=json.dumps(body))
        self.names.append(full)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "Fake", "message": "an object only"}
        room = {"cpu": "64", "memory": "64Gi", "pods": "1"}
        status = {
            "capacity": room,
            "allocatable": room,
            "conditions": [ready | {"lastHeartbeatTime": now, "lastTransitionTime": now}],
        }
        self._kubectl(
            "patch", "node", full, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )
        return full

    def taint(self, name: str, key: str) -> None:
        """Give it a taint, as a cloud does."""
        self._kubectl("taint", "node", name, f"{key}=:NoSchedule")

    def delete_all(self) -> None:
        """Delete them."""
        for name in self.names:
            self._kubectl.try_("delete", "node", name, "--wait=false")


class FakePods:
    """What runs in the pods of the fake nodes: one client each.

    Args:
        kubectl: of an administrator.
        namespace, run: of the Rendezvous.
        folder: for the clients' credentials.
    """

    def __init__(self, kubectl: Kubectl, namespace: str, run: str, folder: Path) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        self._run = run
        self._folder = folder
        self.members: list[PodMember] = []

    def join(self, count: int, seconds: float) -> None:
        """Wait until so many pods are scheduled, and let each join with its own token."""
        selector = f"{LABEL}={self._run}"

        def scheduled() -> bool:
            found = pods(self._kubectl, self._namespace, selector).values()
            return sum(bool(pod.node) for pod in found) == count

        eventually(scheduled, f"{count} scheduled pods", seconds)
        for pod in pods(self._kubectl, self._namespace, selector).values():
            connection = Connection.open(str(self._credentials(pod.name, pod.uid)))
            identity = Identity(pod.name, pod.name, pod.uid, pod.node, "", "127.0.0.1")
            self.members.append(PodMember(connection, self._namespace, self._run, identity))
        for member in self.members:
            member.join()

    def fall_silent(self) -> None:
        """End them all."""
        for member in self.members:
            member.fall_silent()

    def _credentials(self, pod: str, uid: str) -> Path:
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--bound-object-uid={uid}")
        token = self._kubectl("-n", self._namespace, "create", "token", "trainer", *bound).strip()
        config: dict[str, Any] = yaml.safe_load(self._kubectl("config", "view", "--raw", "--flatten", "--minify"))
        for user in config["users"]:
            user["user"] = {"token": token}
        file = self._folder / f"{pod}.kubeconfig"
        file.write_text(json.dumps(config))
        return file
