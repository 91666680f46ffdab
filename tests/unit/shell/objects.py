"""Members and Rendezvous as the API server writes them."""

from typing import Any

from kube_rendezvous.resources import API_VERSION, RendezvousStatus, status_to_json

UID = "uid-of-run"
KEY = ("ns", "run")
CREATED = "2026-03-01T12:00:00Z"


def raw_member(name: str, version: int = 1, *, renewed: int = 0, uid: str = "", **spec: Any) -> dict[str, Any]:
    """A Member of the Rendezvous ``ns/run``; ``renewed`` is the second of its last heartbeat; what is ``...`` is
    left out."""
    obj: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "RendezvousMember",
        "metadata": {
            "namespace": "ns",
            "name": name,
            "uid": uid or f"uid-of-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": CREATED,
        },
        "spec": {
            "rendezvous": "run",
            "rendezvousUID": UID,
            "address": "10.0.0.1",
            "port": 29500,
            "renewTime": f"2026-03-01T12:00:{renewed:02}.000000Z",
            **spec,
        },
    }
    obj["spec"] = {field: value for field, value in obj["spec"].items() if value is not ...}
    return obj


def raw_rendezvous(
    version: int = 1, status: RendezvousStatus | None = None, *, uid: str = UID, **spec: Any
) -> dict[str, Any]:
    """The Rendezvous ``ns/run`` for two nodes, or as the fields of the spec say."""
    obj: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": {
            "namespace": "ns",
            "name": "run",
            "uid": uid,
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": CREATED,
        },
        "spec": {"minNodes": 2, "heartbeatSeconds": 5, "lastCallSeconds": 0, **spec},
    }
    if status is not None:
        obj["status"] = status_to_json(status)
    return obj
