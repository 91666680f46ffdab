"""Fake nodes, each with room for one pod: kwok keeps them ready and says of their pods that they run.

Nothing starts on them. What runs in their pods instead is our client in this process, with each pod's own token.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from e2e.eventually import eventually
from e2e.example_overlay import Patch, add
from e2e.kubectl import Kubectl
from e2e.pods_seen import pods
from e2e.running_example import LABEL
from e2e.site import Site
from integration.pods.pod_member import PodMember
from kube_rendezvous.cluster import Connection
from kube_rendezvous.membership.identity import Identity
from rendezvous_local.binaries import find_or_build
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import KWOK

FAKE = "kube-rendezvous.example/fake"
STAGES = Path(__file__).with_name("kwok_stages.yaml")


@contextmanager
def kwok(site: Site, folder: Path) -> Iterator[ChildProcess]:
    """Let kwok play the kubelet of every fake node.

    Args:
        site: the cluster.
        folder: an empty one, for its log.
    """
    command = [
        *(str(find_or_build(KWOK)), f"--kubeconfig={site.kubeconfig}", f"--config={STAGES}"),
        *(f"--manage-nodes-with-label-selector={FAKE}", "--node-lease-duration-seconds=40"),
    ]
    environment = os.environ | {"KWOK_WORKDIR": str(folder)}  # else it makes a folder in the home directory
    child = ChildProcess("kwok", command, log=folder / "kwok.log", environment=environment)
    child.start()
    try:
        yield child
    finally:
        child.stop()


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
        """Make one, which kwok makes ready; return its name."""
        full = f"{self.test}-{name}"
        labelled = {"name": full, "labels": {FAKE: self.test, **labels}}
        room = {"cpu": "64", "memory": "64Gi", "pods": "1"}
        status = {"capacity": room, "allocatable": room}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": labelled, "status": status}
        self._kubectl("create", "-f", "-", stdin=json.dumps(body))
        self.names.append(full)
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
        kubelet: what says that the pods run.
        namespace, run: of the Rendezvous.
        folder: for the clients' credentials.
    """

    def __init__(self, kubectl: Kubectl, kubelet: ChildProcess, namespace: str, run: str, folder: Path) -> None:
        self._kubectl = kubectl
        self._kubelet = kubelet
        self._namespace = namespace
        self._run = run
        self._folder = folder
        self.members: list[PodMember] = []

    def join(self, count: int, seconds: float) -> None:
        """Wait until so many pods run, and let each join with its own token."""
        selector = f"{LABEL}={self._run}"

        def run() -> bool:
            assert self._kubelet.running, f"kwok has ended:\n{self._kubelet.log_tail()}"
            found = pods(self._kubectl, self._namespace, selector).values()
            return sum(pod.phase == "Running" for pod in found) == count

        eventually(run, f"{count} pods that run", seconds)
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
