"""Small builders for the table tests on the core: a Rendezvous, its members, a round that stands."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kube_rendezvous.resources import BootstrapStore, Forming, Member, Rendezvous, RendezvousSpec, RendezvousStatus
from kube_rendezvous_core import Decision, ObservedMember, decide
from kube_rendezvous_core.conditions import set_conditions, state_of
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UID = "rendezvous-uid"
OTHER_UID = "uid-of-another-rendezvous"


def at(seconds: float) -> datetime:
    """That many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def member(name: str, **fields: Any) -> Member:
    """A member that waits for its first round, unless the fields say otherwise."""
    standard: dict[str, Any] = {
        "namespace": "default",
        "uid": f"uid-of-{name}",
        "resource_version": "1",
        "created": NOW,
        "rendezvous": "run",
        "rendezvous_uid": UID,
        "address": f"{name}.example",
        "port": 29500,
    }
    return Member(**(standard | {"name": name} | fields))


def seen(name: str, silence: float = 0.0, deleted: bool = False, **fields: Any) -> ObservedMember:
    """That member as the operator has it before its eyes."""
    return ObservedMember(member(name, **fields), silence, deleted)


def crowd(names: str, **fields: Any) -> list[ObservedMember]:
    """Members by their names, separated by blanks."""
    return [seen(name, **fields) for name in names.split()]


def rendezvous(status: RendezvousStatus | None = None, **fields: Any) -> Rendezvous:
    """A Rendezvous for two to four nodes. Fields of the spec by name; ``generation`` and ``uid`` as well."""
    generation, uid = fields.pop("generation", 1), fields.pop("uid", UID)
    wish: dict[str, Any] = {"min_nodes": 2, "max_nodes": 4} | fields
    return Rendezvous("default", "run", uid, "7", generation, RendezvousSpec(**wish), status or RendezvousStatus())


def round_of(names: str, number: int = 3, slots: Sequence[str] = (), **fields: Any) -> RendezvousStatus:
    """The status while a round stands; its members by name, in the order of their ranks."""
    ranks = tuple(names.split())
    status = RendezvousStatus(
        observed_generation=1,
        round=number,
        ranks=ranks,
        slots=tuple(slots) or ("",) * len(ranks),
        bootstrap_store=BootstrapStore(ranks[0], f"{ranks[0]}.example", 29500),
        heartbeat_seconds=5,
    )
    status = replace(status, **fields)
    status = replace(status, state=state_of(status.closed, status.forming))
    return replace(status, conditions=set_conditions(status, 1, NOW))


def told(number: int = 4, **fields: Any) -> Forming:
    """A formation that told the members of the round before it to join again so long ago that last call (of 30 s)
    and their time to do so end together."""
    standard: dict[str, Any] = {"reason": "HeartbeatLost", "message": "x fell silent", "interrupts": True}
    standard["since"] = fields.get("deadline", at(30)) - timedelta(seconds=REJOIN_SECONDS)
    return Forming(**(standard | {"round": number, "required": 2} | fields))


def stands(names: str, number: int = 3, status: dict[str, Any] | None = None, **spec: Any) -> Rendezvous:
    """A Rendezvous whose round stands with these members."""
    return rendezvous(round_of(names, number, **(status or {})), **spec)


def then(before: Rendezvous, decision: Decision) -> Rendezvous:
    """The Rendezvous after the decision was written."""
    return replace(before, status=decision.status, resource_version=before.resource_version + "0")


def outcome(before: Rendezvous, members: Sequence[ObservedMember], seconds: float = 0.0) -> RendezvousStatus:
    """The status that `decide` wants, that many seconds after NOW."""
    return decide(before, members, at(seconds)).status


def forming_reason(status: RendezvousStatus) -> str | None:
    """Why a round is being formed; None if the newest one stands."""
    return status.forming.reason if status.forming else None
