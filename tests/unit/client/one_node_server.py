"""An API server, and an operator, for one node: whoever joins gets a round of its own at once."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kube_rendezvous.cluster import ApiRefusedError
from kube_rendezvous.resources import RendezvousStatus
from kube_rendezvous.resources.rendezvous import BootstrapStore, Closed
from kube_rendezvous.resources.timestamps import parse_time
from unit.scripted_connection import Asked
from unit.shell.objects import raw_rendezvous

LATER = "2026-03-01T12:00:02Z"


class OneNodeServer:
    """Stands for a `Connection`.

    Attributes:
        made, left: the names of the Members that were made, and of those that said that they leave, in order.
        asked: every request but watches.
    """

    host, namespace = "127.0.0.1", "ns"

    def __init__(self) -> None:
        self.made: list[str] = []
        self.left: list[str] = []
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self._status = RendezvousStatus(observed_generation=1, heartbeat_seconds=300)
        self._version = 1
        self._streams: list[queue.SimpleQueue[bytes | None]] = []

    @property
    def left_behind(self) -> list[str]:
        """Members that nobody has taken leave of."""
        return [name for name in self.made if name not in self.left]

    def request(self, method: str, path: str, *, body: Any = None, **_: Any) -> dict[str, Any]:
        with self._lock:
            self.asked.append(Asked(method, path, body))
            if method == "GET":
                return {"metadata": {"resourceVersion": str(self._version)}, "items": [self._rendezvous()]}
            if method == "POST":
                return self._create(body)
            return self._change(path.rsplit("/", 1)[1], body["spec"])

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        if name in self.made:
            raise ApiRefusedError("POST", 409, "AlreadyExists", f'"{name}" exists')
        self.made.append(name)
        self._stand(name)
        return {**body, "metadata": {**body["metadata"], "creationTimestamp": LATER}}

    def _change(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        if name not in self.made:
            raise ApiRefusedError("PATCH", 404, "NotFound", f'"{name}" not found')
        if spec.get("leaving"):
            self.left.append(name)
        if spec.get("closeRequested"):
            self._tell(replace(self._status, closed=Closed(name, parse_time(LATER), "ClosedByMember", "done")))
        elif "afterRound" in spec:
            self._stand(name)
        return {"metadata": {}}

    def _stand(self, name: str) -> None:
        store = BootstrapStore(member=name, address="127.0.0.1", port=29500)
        self._tell(replace(self._status, round=self._status.round + 1, ranks=(name,), bootstrap_store=store))

    def _tell(self, status: RendezvousStatus) -> None:
        self._status = status
        self._version += 1
        for stream in self._streams:
            stream.put(json.dumps({"type": "MODIFIED", "object": self._rendezvous()}).encode())

    def _rendezvous(self) -> dict[str, Any]:
        return raw_rendezvous(self._version, self._status, minNodes=1, heartbeatSeconds=300)

    def stream(self, path: str, *, query: Mapping[str, str], silence: float) -> "Stream":
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            lines.put(json.dumps({"type": "ADDED", "object": self._rendezvous()}).encode())
            if "sendInitialEvents" in query:
                end = {"resourceVersion": str(self._version), "annotations": {"k8s.io/initial-events-end": "true"}}
                lines.put(json.dumps({"type": "BOOKMARK", "object": {"metadata": end}}).encode())
            self._streams.append(lines)
        return Stream(lines)

    def close(self) -> None:
        """Nothing is open."""


class Stream:
    """A watch that goes on until it is interrupted."""

    def __init__(self, lines: "queue.SimpleQueue[bytes | None]") -> None:
        self._lines = lines

    def lines(self) -> Iterator[bytes]:
        while (line := self._lines.get()) is not None:
            yield line

    def interrupt(self) -> None:
        self._lines.put(None)

    def close(self) -> None:
        """Nothing to free."""
