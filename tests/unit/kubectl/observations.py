"""Small builders for the tests on `kubectl rendezvous`: an observation of one Rendezvous, its pods and members."""

from datetime import UTC, datetime, timedelta
from typing import Any

from kube_rendezvous.resources import BootstrapStore, Forming, Member, Rendezvous, RendezvousSpec, RendezvousStatus
from kube_rendezvous.resources.timestamps import format_time
from kubectl_rendezvous.causes import Finding, find_causes
from kubectl_rendezvous.observation import Observation, SeenPod, SeenRendezvous

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UID = "rendezvous-uid"


def ago(seconds: float) -> datetime:
    """That many seconds before NOW."""
    return NOW - timedelta(seconds=seconds)


def member(name: str, *, pod: str = "", silence: float = 1.0, **fields: Any) -> Member:
    """A member that joined a minute ago and sends heartbeats."""
    standard: dict[str, Any] = {
        "namespace": "ml",
        "uid": f"uid-of-{name}",
        "resource_version": "1",
        "created": ago(60),
        "rendezvous": "run",
        "rendezvous_uid": UID,
        "address": "10.0.0.1",
        "port": 29500,
        "renew_time": format_time(ago(silence)),
        "pod_name": pod,
        "pod_uid": f"uid-of-{pod}" if pod else "",
    }
    return Member(**(standard | {"name": name} | fields))


def members(names: str, **fields: Any) -> tuple[Member, ...]:
    """Members by their names, separated by blanks."""
    return tuple(member(name, **fields) for name in names.split())


def pod(name: str, label: str = "run", **fields: Any) -> SeenPod:
    """A running pod."""
    return SeenPod(**({"name": name, "uid": f"uid-of-{name}", "label": label, "why": "running"} | fields))


def standing(names: str, number: int = 3, **fields: Any) -> RendezvousStatus:
    """The status while a round stands; its members by name, in the order of their ranks."""
    ranks = tuple(names.split())
    standard: dict[str, Any] = {
        "observed_generation": 1,
        "round": number,
        "ranks": ranks,
        "slots": ("",) * len(ranks),
        "bootstrap_store": BootstrapStore(ranks[0], "10.0.0.1", 29500),
        "heartbeat_seconds": 5,
        "state": "Active",
    }
    return RendezvousStatus(**(standard | fields))


def gathering(arrived: int, required: int = 2, **fields: Any) -> RendezvousStatus:
    """The status before the first round."""
    forming = Forming(1, "FirstRound", "No round was formed yet", False, ago(60), arrived=arrived, required=required)
    return RendezvousStatus(**({"observed_generation": 1, "forming": forming} | fields))


def rendezvous(status: RendezvousStatus | None = None, name: str = "run", **fields: Any) -> SeenRendezvous:
    """A Rendezvous for two to four nodes, an hour old. Fields of the object by name, all others are of the spec."""
    own = {
        key: fields.pop(key)
        for key in ("generation", "managed_by", "being_deleted", "finalizers", "uid")
        if key in fields
    }
    spec = RendezvousSpec(**({"min_nodes": 2, "max_nodes": 4} | fields))
    known = status if status is not None else RendezvousStatus(observed_generation=1)
    standard: dict[str, Any] = {"uid": UID, "generation": 1}
    made = Rendezvous(namespace="ml", name=name, resource_version="7", spec=spec, status=known, **(standard | own))
    return SeenRendezvous(made, ago(3600))


def observe(seen: SeenRendezvous, **parts: Any) -> Observation:
    """What was read around it."""
    return Observation(NOW, seen, **parts)


def findings(observation: Observation) -> dict[str, Finding]:
    """What holds it up, by cause."""
    return {finding.cause: finding for finding in find_causes(observation)}
