"""The chart as helm has installed it."""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e.eventually import eventually
from e2e.kubectl import Kubectl
from e2e.pods_seen import PodSeen, pods

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "kube-rendezvous"
NAMESPACE = "kube-rendezvous-system"
NAME = "kube-rendezvous"
LEASE = "kube-rendezvous-operator"
CRDS = ("rendezvous.rendezvous.dev", "rendezvousmembers.rendezvous.dev", "rendezvousslices.rendezvous.dev")
HELM_SECONDS = 180.0


class Release:
    """The release, and what it installed.

    Args:
        helm: the program.
        kubectl: of an administrator.
        values: for `helm install --set`.
    """

    def __init__(self, helm: Path, kubectl: Kubectl, values: Sequence[str]) -> None:
        self._helm = helm
        self.kubectl = kubectl
        self._values = values
        self.namespace = NAMESPACE
        self.ready_seconds = 0.0

    def helm(self, *arguments: str) -> str:
        """Run helm on the cluster.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        command = [str(self._helm), f"--kubeconfig={self.kubectl.kubeconfig}", "-n", self.namespace, *arguments]
        done = subprocess.run(
            command,
            env=self.kubectl.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HELM_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} failed: {done.stderr}{done.stdout}"
        return done.stdout

    def package(self, version: str, folder: Path) -> Path:
        """Package the chart as if it had this version; return the archive."""
        self.helm("package", str(CHART), f"--version={version}", f"--destination={folder}")
        return folder / f"{NAME}-{version}.tgz"

    def install(self, chart: Path) -> str:
        """`helm install`, until every operator pod is ready; return what helm said."""
        began = time.monotonic()
        said = self.helm("install", NAME, str(chart), "--create-namespace", *self._set)
        self.wait_until_ready(HELM_SECONDS)
        self.ready_seconds = time.monotonic() - began
        return said

    def upgrade(self, chart: Path) -> None:
        """`helm upgrade`, until the rollout is done."""
        self.helm("upgrade", NAME, str(chart), *self._set)
        self.kubectl("-n", self.namespace, "rollout", "status", f"deployment/{self.deployment()}", "--timeout=120s")

    def uninstall(self) -> None:
        """`helm uninstall`, until the operator's pods are gone."""
        selector = self.selector()
        self.helm("uninstall", NAME, "--wait")
        eventually(lambda: not pods(self.kubectl, self.namespace, selector), "end of the operator's pods", 60)

    def take_away(self, kept: Sequence[str]) -> None:
        """Remove the release and what it leaves on a cluster, but not what was there before.

        Args:
            kept: what `left_behind` gave before the release was installed.
        """
        self.helm("uninstall", NAME, "--wait", "--ignore-not-found")
        for name in self.left_behind():
            if name not in kept:
                self.kubectl("delete", name, "--wait=false")

    def left_behind(self) -> list[str]:
        """What is there of the things that stay when a release goes."""
        wanted = [f"namespace/{self.namespace}", *(f"customresourcedefinition/{name}" for name in CRDS)]
        return [name for name in wanted if self.kubectl.try_("get", name).returncode == 0]

    @property
    def image(self) -> str:
        """The operator's image that its values name."""
        values = dict(value.split("=", 1) for value in self._values)
        return f"{values['image.repository']}:{values['image.tag']}"

    @property
    def _set(self) -> list[str]:
        return [part for value in self._values for part in ("--set", value)]

    def _deployment(self) -> dict[str, Any]:
        (found,) = self.kubectl.json("-n", self.namespace, "get", "deployments")["items"]
        deployment: dict[str, Any] = found
        return deployment

    def deployment(self) -> str:
        """Name of the operator's Deployment."""
        return str(self._deployment()["metadata"]["name"])

    def selector(self) -> str:
        """Labels of the operator's pods."""
        labels: dict[str, str] = self._deployment()["spec"]["selector"]["matchLabels"]
        return ",".join(f"{key}={value}" for key, value in labels.items())

    def operator_pods(self) -> dict[str, PodSeen]:
        """The operator's pods by name."""
        return pods(self.kubectl, self.namespace, self.selector())

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until every replica is ready and no old one is left."""

        def ready() -> bool:
            deployment = self._deployment()
            wanted, status = deployment["spec"]["replicas"], deployment.get("status") or {}
            observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            return bool(observed and status.get("readyReplicas", 0) == status.get("replicas", 0) == wanted)

        eventually(ready, "readiness of the operator", seconds, every=0.1)

    def lease(self) -> dict[str, Any]:
        """The spec of the leader's Lease; empty if there is none."""
        done = self.kubectl.try_("-n", self.namespace, "get", "lease", LEASE, "-o", "json")
        spec: dict[str, Any] = json.loads(done.stdout)["spec"] if done.returncode == 0 else {}
        return spec

    def wait_for_leader(self, seconds: float, *, other_than: str = "") -> str:
        """Wait until somebody holds the Lease; return who. The part before `_` is the pod."""

        def leader() -> str:
            holder = str(self.lease().get("holderIdentity") or "")
            return holder if holder != other_than else ""

        return eventually(leader, f"a leader other than {other_than or 'nobody'}", seconds, every=0.1)

    def leader_pod(self) -> PodSeen:
        """The pod that leads."""
        holder = self.wait_for_leader(60)
        found = self.operator_pods()
        name = holder.rpartition("_")[0]
        assert name in found, f"the Lease names {holder}, which is none of the operator's pods {sorted(found)}"
        return found[name]
