"""Pods and Nodes as objects: made as a Job makes them, changed as a kubelet, a scheduler and a cloud change them.

No kubelet runs behind the local API server, so nobody contradicts.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH, STRATEGIC_MERGE_PATCH
from kube_rendezvous.membership.identity import Identity

_CONTAINER = "trainer"
DEVICE = "example.com/gpu"

_NODES = "/api/v1/nodes"


class PodObjects:
    """The pods of one namespace.

    Args:
        connection: of somebody with every right.
        namespace: where they are.
        account: their service account; empty: none.
    """

    def __init__(self, connection: Connection, namespace: str, account: str = "") -> None:
        self._connection = connection
        self._account = account
        self._path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, name: str, run: str | None, node: str = "", gates: Sequence[str] = (), **meta: Any) -> str:
        """Create a pod that waits to be scheduled, or to be started on that node.

        Args:
            name: of the pod.
            run: the Rendezvous that its label names; None: it has no label.
            node: on which it is to run.
            gates: what keeps it from the scheduler.
            meta: more of its metadata; labels are added to its own. ``group``: the PodGroup that it names;
                ``responders``: to its eviction; ``restart_policy``: Always, if nothing is said.

        Returns:
            Its UID.
        """
        container = {
            "name": _CONTAINER,
            "image": "registry.example/trainer:1",
            "resources": _resources("1"),
        }
        labels = ({"rendezvous.dev/name": run} if run is not None else {}) | meta.pop("labels", {})
        group, responders = meta.pop("group", ""), meta.pop("responders", ())
        restart_policy = meta.pop("restart_policy", None)
        body = {
            "metadata": {"name": name, "labels": labels, **meta},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": 30,
                "nodeName": node or None,
                "restartPolicy": restart_policy,
                "serviceAccountName": self._account or None,
                "schedulingGroup": {"podGroupName": group} if group else None,
                "evictionResponders": [{"name": name, "priority": 10000} for name in responders] or None,
                "schedulingGates": [{"name": gate} for gate in gates] or None,
            },
        }
        return str(self._connection.request("POST", self._path, body=body)["metadata"]["uid"])

    def run(self, name: str, run: str | None, node: str = "worker-1", **meta: Any) -> Identity:
        """Create a pod whose container has run for some seconds.

        Returns:
            Who a process in it would find itself to be.
        """
        uid = self.create(name, run, node, **meta)
        self.set_container(name, running(whole_second() - timedelta(seconds=5)))
        return Identity(name, name, uid, node, name.rpartition("-")[2], "127.0.0.1")

    def lift_gates(self, name: str) -> None:
        """Let it go to the scheduler."""
        body = {"spec": {"schedulingGates": None}}
        self._connection.request("PATCH", f"{self._path}/{name}", body=body, content_type=MERGE_PATCH)

    def bind(self, name: str, node: str) -> None:
        """Schedule it, as the scheduler does, and report that its container runs."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        self._connection.request(
            "POST", f"{self._path}/{name}/binding", body={"metadata": {"name": name}, "target": target}
        )
        self.set_container(name, running(whole_second()))

    def get(self, name: str) -> dict[str, Any]:
        """It, as the API server has it."""
        return self._connection.request("GET", f"{self._path}/{name}")

    def set_container(self, name: str, state: Mapping[str, Any], phase: str = "Running", **fields: Any) -> None:
        """Report its container's state."""
        status = {
            "name": _CONTAINER,
            "image": "registry.example/trainer:1",
            "imageID": "",
            "ready": "running" in state,
            "restartCount": 0,
            "state": state,
        }
        self.set_status(name, phase=phase, containerStatuses=[status | fields])

    def report_device(self, name: str, health: str, message: str = "") -> None:
        """Report the health of the device of a pod that runs."""
        device = {"resourceID": "gpu-0", "health": health} | ({"message": message} if message else {})
        allocated = [{"name": DEVICE, "resources": [device]}]
        since = whole_second() - timedelta(seconds=5)
        self.set_container(name, running(since), allocatedResourcesStatus=allocated)

    def resize(self, name: str, cpu: str) -> None:
        """Ask for another amount of CPU, as its owner or an autoscaler does."""
        container = {"name": _CONTAINER, "resources": _resources(cpu)}
        path, body = f"{self._path}/{name}/resize", {"spec": {"containers": [container]}}
        self._connection.request("PATCH", path, body=body, content_type=STRATEGIC_MERGE_PATCH)

    def set_condition(self, name: str, kind: str, status: str, reason: str, message: str) -> None:
        """Report a condition."""
        self.set_status(name, conditions=[_condition(kind, status, reason, message)])

    def set_status(self, name: str, **status: Any) -> None:
        """Change fields of its status."""
        path = f"{self._path}/{name}/status"
        self._connection.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)

    def delete(self, name: str, grace_seconds: int) -> None:
        """Delete a pod; with grace 0 it is gone at once."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace_seconds}
        self._connection.request("DELETE", f"{self._path}/{name}", body=body)

    def delete_all(self) -> None:
        """Delete every pod of the namespace at once."""
        self._connection.request("DELETE", self._path, query={"gracePeriodSeconds": "0"})


class NodeObjects:
    """The nodes that a test made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made: set[str] = set()

    def create(self, name: str, labels: Mapping[str, str] = MappingProxyType({})) -> str:
        """Create a node; return its name."""
        self._connection.request("POST", _NODES, body={"metadata": {"name": name, "labels": dict(labels)}})
        self._made.add(name)
        return name

    def report_cpu(self, name: str, cpu: str) -> None:
        """Report how much CPU it has for pods."""
        body = {"status": {"capacity": {"cpu": cpu}, "allocatable": {"cpu": cpu}}}
        self._connection.request("PATCH", f"{_NODES}/{name}/status", body=body, content_type=MERGE_PATCH)

    def taint(self, name: str, key: str) -> None:
        """Give it this taint and no others."""
        body = {"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}}
        self._connection.request("PATCH", f"{_NODES}/{name}", body=body, content_type=MERGE_PATCH)

    def set_condition(self, name: str, kind: str, status: str, reason: str, message: str) -> None:
        """Report a condition, as its administrator's tools do."""
        body = {"status": {"conditions": [_condition(kind, status, reason, message)]}}
        self._connection.request("PATCH", f"{_NODES}/{name}/status", body=body, content_type=MERGE_PATCH)

    def delete(self, name: str) -> None:
        """Delete it."""
        self._made.discard(name)
        self._connection.request("DELETE", f"{_NODES}/{name}")

    def delete_all(self) -> None:
        """Delete all that are left."""
        for name in sorted(self._made):
            try:
                self.delete(name)
            except ApiFailureError as failure:
                if failure.status != 404:
                    raise


def _resources(cpu: str) -> dict[str, dict[str, str]]:
    return {"requests": {"cpu": cpu, DEVICE: "1"}, "limits": {"cpu": cpu, DEVICE: "1"}}


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    now = kubelet_time(whole_second())
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}


def running(since: datetime) -> dict[str, Any]:
    """State of a container that runs."""
    return {"running": {"startedAt": kubelet_time(since)}}


def terminated(at: datetime, exit_code: int = 137, reason: str = "OOMKilled") -> dict[str, Any]:
    """State of a container that ended."""
    return {"terminated": {"exitCode": exit_code, "reason": reason, "finishedAt": kubelet_time(at)}}


def whole_second() -> datetime:
    """Now, rounded down as a kubelet does."""
    return datetime.now(UTC).replace(microsecond=0)


def kubelet_time(moment: datetime) -> str:
    """In whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
