"""Pods as the API shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.kubectl import Kubectl


@dataclass(frozen=True)
class PodSeen:
    """A pod.

    Args:
        container_id: of the main container's newest instance, without the name of the runtime; "" if there was none.
        started_at: when that instance was started, as the API writes it; "" if it does not run.
        restarts: how often any of its containers was started again.
    """

    name: str
    uid: str
    address: str
    phase: str
    node: str
    container_id: str
    started_at: str
    restarts: int
    deleting: bool

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> "PodSeen":
        """Read a Pod."""
        status = obj.get("status") or {}
        statuses = status.get("containerStatuses") or []
        first = statuses[0] if statuses else {}
        everything = [*statuses, *(status.get("initContainerStatuses") or [])]
        return cls(
            name=obj["metadata"]["name"],
            uid=obj["metadata"]["uid"],
            address=status.get("podIP", ""),
            phase=status.get("phase", ""),
            node=obj["spec"].get("nodeName", ""),
            container_id=first.get("containerID", "").rpartition("//")[2],
            started_at=((first.get("state") or {}).get("running") or {}).get("startedAt", ""),
            restarts=sum(int(one.get("restartCount", 0)) for one in everything),
            deleting="deletionTimestamp" in obj["metadata"],
        )


def pods(kubectl: Kubectl, namespace: str, selector: str) -> dict[str, PodSeen]:
    """The pods with these labels, by name."""
    items = kubectl.json("-n", namespace, "get", "pods", "-l", selector)["items"]
    return {one.name: one for one in map(PodSeen.read, items)}
