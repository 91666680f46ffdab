"""Pods, members and rendezvous of one namespace of a real API server, made as people, nodes and the scheduler do it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import (
    API_VERSION,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    Rendezvous,
    member_manifest,
    parse_rendezvous,
)
from kube_rendezvous.resources.names import collection_path, object_path
from rendezvous_local.cluster import Cluster

WAIT_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """Objects of one namespace, made as people, nodes and the scheduler make them."""

    connection: Connection
    namespace: str

    def rendezvous(self, name: str = "run", *, labels: Mapping[str, str] | None = None, **spec: Any) -> Rendezvous:
        """A Rendezvous for two to four nodes that lose nobody within a test."""
        wish = {"minNodes": 2, "maxNodes": 4, "heartbeatSeconds": 300, **spec}
        metadata = {"name": name, "labels": dict(labels or {})}
        body = {"apiVersion": API_VERSION, "kind": RENDEZVOUS_KIND, "metadata": metadata, "spec": wish}
        path = collection_path(RENDEZVOUS_PLURAL, self.namespace)
        return parse_rendezvous(self.connection.request("POST", path, body=body))

    def pod(self, name: str, label: str = "run", arguments: tuple[str, ...] = ()) -> str:
        """A pod as a Job would make it; its UID."""
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"rendezvous.dev/name": label} if label else {}},
            "spec": {"containers": [{"name": "trainer", "image": "trainer", "args": list(arguments)}]},
        }
        made = self.connection.request("POST", f"/api/v1/namespaces/{self.namespace}/pods", body=body)
        return str(made["metadata"]["uid"])

    def pod_status(self, name: str, status: Mapping[str, Any]) -> None:
        """What the scheduler or a kubelet says of a pod."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/status"
        self.connection.request("PATCH", path, body={"status": dict(status)}, content_type=MERGE_PATCH)

    def member(self, name: str, rendezvous: Rendezvous, **place: str) -> None:
        """A node joins: ``pod_name``, ``pod_uid``, ``slot`` as it has them."""
        body = member_manifest(
            name=name,
            rendezvous=rendezvous.name,
            rendezvous_uid=rendezvous.uid,
            address="127.0.0.1",
            port=29500,
            renew_time=datetime.now(UTC),
            **place,
        )
        self.connection.request("POST", collection_path(MEMBER_PLURAL, self.namespace), body=body)

    def patch_member(self, name: str, **spec: Any) -> None:
        """What a node writes into its own Member later."""
        path = object_path(MEMBER_PLURAL, self.namespace, name)
        self.connection.request("PATCH", path, body={"spec": spec}, content_type=MERGE_PATCH)

    def remove_member(self, name: str) -> None:
        """A node's Member is deleted."""
        self.connection.request("DELETE", object_path(MEMBER_PLURAL, self.namespace, name))

    def member_names(self) -> list[str]:
        """Those that are there."""
        listed = self.connection.request("GET", collection_path(MEMBER_PLURAL, self.namespace))
        return sorted(str(one["metadata"]["name"]) for one in listed["items"])

    def write_status(self, name: str, status: Mapping[str, Any]) -> None:
        """What an operator wrote before it went away."""
        path = object_path(RENDEZVOUS_PLURAL, self.namespace, name)
        body = {**self.connection.request("GET", path), "status": dict(status)}
        self.connection.request("PUT", f"{path}/status", body=body)

    def get(self, name: str = "run") -> Rendezvous:
        """The Rendezvous as it is now."""
        return parse_rendezvous(self.connection.request("GET", object_path(RENDEZVOUS_PLURAL, self.namespace, name)))

    def wait(self, holds: Callable[[Rendezvous], bool], name: str = "run") -> Rendezvous:
        """The Rendezvous when something holds of it."""
        return wait_for(lambda: seen if holds(seen := self.get(name)) else None)

    def round_of(self, *names: str, **spec: Any) -> Rendezvous:
        """A Rendezvous whose first round stands with these members, one pod each."""
        rendezvous = self.rendezvous(**{"minNodes": len(names), "maxNodes": len(names), **spec})
        uids = {name: self.pod(name) for name in names}
        for slot, (name, uid) in enumerate(uids.items()):
            self.pod_status(name, {"phase": "Running"})
            self.member(f"{name}-x", rendezvous, pod_name=name, pod_uid=uid, slot=str(slot))
        return self.wait(lambda r: r.status.world_size == len(names) and r.status.forming is None)


def wait_for(look: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    """What ``look`` answers as soon as it is not None."""
    end = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < end, f"{look} waited for in vain for {seconds} s"
        time.sleep(0.05)
    return found


@contextmanager
def scene_in(cluster: Cluster, namespace: str) -> Iterator[Scene]:
    """A namespace to be filled; its pods end with the block."""
    connection = Connection.open(str(cluster.kubeconfig))
    yield Scene(connection, namespace)
    path = f"/api/v1/namespaces/{namespace}/pods"
    connection.request("DELETE", path, body={"kind": "DeleteOptions", "gracePeriodSeconds": 0})
    connection.close()
