"""A Rendezvous and its members as somebody with every right sees and changes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from integration.handlers.eventually import eventually
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.cluster.slice_list import list_slices, with_names
from kube_rendezvous.resources import (
    API_VERSION,
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    SLICE_PLURAL,
    Member,
    Rendezvous,
    RendezvousStatus,
    member_manifest,
    parse_member,
    parse_rendezvous,
)
from kube_rendezvous.resources.belonging import is_certainly_younger
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.rendezvous_slice import slice_name

QUIET: dict[str, Any] = {"lastCallSeconds": 0, "heartbeatSeconds": 5}


class Run:
    """One Rendezvous by name, whether it is there or not.

    Args:
        connection: of somebody with every right.
        namespace, name: of the Rendezvous.
    """

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection = connection
        self.namespace = namespace
        self.name = name

    def create(self, **spec: Any) -> "Run":
        """Create it, without last call unless `spec` says otherwise."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "Rendezvous",
            "metadata": {"name": self.name},
            "spec": QUIET | spec,
        }
        self._connection.request("POST", collection_path(RENDEZVOUS_PLURAL, self.namespace), body=body)
        return self

    def until_settled(self) -> None:
        """Wait until what is created now is certainly younger than it."""
        rendezvous = self.get()
        assert rendezvous is not None
        eventually(lambda: is_certainly_younger(datetime.now(UTC), rendezvous), f"{self.name} is some seconds old")

    def change(self, **spec: Any) -> int:
        """Change fields of its spec; returns the generation that it has then."""
        changed = self._connection.request("PATCH", self._path, body={"spec": spec}, content_type=MERGE_PATCH)
        return int(changed["metadata"]["generation"])

    def change_and_wait(self, **spec: Any) -> None:
        """The same; an operator has looked at it then, and has nothing to do for it any more."""
        generation = self.change(**spec)
        self.until(lambda status: status.observed_generation == generation, "an operator has seen what was changed")

    def hold(self, *finalizers: str) -> None:
        """Give it these finalizers; none: let it go."""
        body = {"metadata": {"finalizers": list(finalizers)}}
        try:
            self._connection.request("PATCH", self._path, body=body, content_type=MERGE_PATCH)
        except ApiFailureError as failure:
            if failure.status != 404:
                raise

    def delete(self) -> None:
        """Delete it."""
        self._connection.request("DELETE", self._path)

    def get(self) -> Rendezvous | None:
        """The object, with all names of its round; None if it is not there."""
        try:
            return with_names(self._connection, self._read(), self._read)
        except ApiFailureError as failure:
            if failure.status != 404:
                raise
            return None

    def _read(self) -> Rendezvous:
        return parse_rendezvous(self._connection.request("GET", self._path))

    @property
    def status(self) -> RendezvousStatus:
        """Its status; it must be there."""
        rendezvous = self.get()
        assert rendezvous is not None, f"there is no Rendezvous {self.namespace}/{self.name}"
        return rendezvous.status

    def until(self, true: Callable[[RendezvousStatus], Any], what: str, seconds: float = 60.0) -> RendezvousStatus:
        """Wait until its status is so, and return that."""
        seen = [self.status]

        def holds() -> bool:
            seen[0] = self.status
            return bool(true(seen[0]))

        eventually(holds, what, seconds)
        return seen[0]

    def members(self) -> list[Member]:
        """The members that name it."""
        query = {"fieldSelector": f"spec.rendezvous={self.name}"}
        path = collection_path(MEMBER_PLURAL, self.namespace)
        return [parse_member(item) for item in self._connection.request("GET", path, query=query)["items"]]

    def until_joined(self, count: int) -> None:
        """Wait until so many members have seen it: they say that they belong to it, if it was new when they came."""

        def have_joined() -> bool:
            rendezvous = self.get()
            return rendezvous is not None and [m.rendezvous_uid for m in self.members()] == [rendezvous.uid] * count

        eventually(have_joined, f"{count} members have joined {self.name}")

    def member_in(self, slot: str | None) -> Member | None:
        """The member in this slot; None if there is none."""
        return next((member for member in self.members() if member.slot == slot), None)

    def until_members(self, count: int) -> list[Member]:
        """Wait until it has so many members."""
        everybody: list[Member] = []

        def are_here() -> bool:
            everybody[:] = self.members()
            return len(everybody) == count

        eventually(are_here, f"{count} members of {self.name}")
        return everybody

    def write_member(self, name: str, **fields: Any) -> None:
        """Write a Member by hand; fields of its spec by their JSON names win.

        Raises:
            ApiRefusedError: the API server finds it invalid.
        """
        rendezvous = self.get()
        manifest = member_manifest(
            name=name,
            rendezvous=self.name,
            rendezvous_uid=rendezvous.uid if rendezvous is not None else "none",
            address="127.0.0.1",
            port=29500,
            renew_time=datetime.now(UTC),
        )
        manifest["spec"].update(fields)
        self._connection.request("POST", collection_path(MEMBER_PLURAL, self.namespace), body=manifest)

    def slices(self) -> set[str]:
        """The digests of all RendezvousSlices that name it."""
        return {one.digest for one in list_slices(self._connection, self.namespace, self.name)}

    def delete_slice(self, digest: str) -> None:
        """As a person may."""
        self._connection.request("DELETE", object_path(SLICE_PLURAL, self.namespace, slice_name(self.name, digest)))

    def delete_member(self, name: str) -> None:
        """Delete a Member; it may be gone already."""
        try:
            self._connection.request("DELETE", object_path(MEMBER_PLURAL, self.namespace, name))
        except ApiFailureError as failure:
            if failure.status != 404:
                raise

    def has_member(self, name: str) -> bool:
        """Whether there is a Member of this name."""
        return any(member.name == name for member in self.members())

    def events(self, reason: str) -> list[str]:
        """The messages of the Events about it with this reason."""
        query = {"fieldSelector": f"involvedObject.name={self.name},reason={reason}"}
        answer = self._connection.request("GET", f"/api/v1/namespaces/{self.namespace}/events", query=query)
        return [item["message"] for item in answer["items"]]

    def until_told(self, reason: str, text: str, times: int = 1) -> None:
        """Wait until so many Events with this reason say that: they are posted beside the status, often after it."""
        eventually(lambda: sum(text in message for message in self.events(reason)) >= times, f"Event {reason}: {text}")

    @property
    def _path(self) -> str:
        return object_path(RENDEZVOUS_PLURAL, self.namespace, self.name)
