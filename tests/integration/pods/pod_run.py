"""A Rendezvous as somebody with every right sees and changes it."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import (
    API_VERSION,
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    RendezvousStatus,
    parse_rendezvous,
)
from kube_rendezvous.resources.names import collection_path, object_path

Answer = TypeVar("Answer")


def eventually(ask: Callable[[], Answer], what: str, seconds: float = 60.0) -> Answer:
    """Ask every 20 ms until the answer is true, and return it.

    Raises:
        AssertionError: it was not true within that many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what} (the last answer was {answer!r})"
        time.sleep(0.02)
    return answer


class PodRun:
    """One Rendezvous by name.

    Args:
        connection: of somebody with every right.
        namespace, name: of the Rendezvous.
    """

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._path = object_path(RENDEZVOUS_PLURAL, namespace, name)
        self.name = name

    def create(self, **spec: Any) -> None:
        """Create it. Its last call is longer than any test waits, unless the spec says otherwise: who gets a round
        has not waited for it."""
        spec = {"lastCallSeconds": 600} | spec
        body = {"apiVersion": API_VERSION, "kind": "Rendezvous", "metadata": {"name": self.name}, "spec": spec}
        self._connection.request("POST", collection_path(RENDEZVOUS_PLURAL, self._namespace), body=body)

    def edit(self, **spec: Any) -> None:
        """Change fields of its spec."""
        self._connection.request("PATCH", self._path, body={"spec": spec}, content_type=MERGE_PATCH)

    def close(self) -> None:
        """Close it."""
        self._connection.request("PATCH", self._path, body={"spec": {"closed": True}}, content_type=MERGE_PATCH)

    def delete(self) -> None:
        """Delete it."""
        self._connection.request("DELETE", self._path)

    @property
    def status(self) -> RendezvousStatus:
        """Its status."""
        return parse_rendezvous(self._connection.request("GET", self._path)).status

    def until(self, true: Callable[[RendezvousStatus], Any], what: str, seconds: float = 60.0) -> RendezvousStatus:
        """Wait until its status is so, and return that."""
        found: list[RendezvousStatus] = []

        def is_so() -> bool:
            found[:] = [self.status]
            return bool(true(found[0]))

        eventually(is_so, what, seconds)
        return found[0]

    def members(self) -> set[str]:
        """Names of its members."""
        query = {"fieldSelector": f"spec.rendezvous={self.name}"}
        answer = self._connection.request("GET", collection_path(MEMBER_PLURAL, self._namespace), query=query)
        return {item["metadata"]["name"] for item in answer["items"]}

    def events(self, reason: str) -> list[str]:
        """Messages of the Events with this reason."""
        query = {"fieldSelector": f"reason={reason}"}
        answer = self._connection.request("GET", f"/api/v1/namespaces/{self._namespace}/events", query=query)
        return [item["message"] for item in answer["items"]]
