"""`spec.failurePolicy`: what is done about nodes, slots and runs that fail again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.slots import possible_slots
from kube_rendezvous.resources.timestamps import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Leave a place (node or slot) out after ``losses`` losses within ``window_seconds``."""

    losses: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class NoProgress:
    """Close after ``rounds`` rounds that failures made necessary within ``within_seconds``."""

    rounds: int
    within_seconds: int


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """Nothing is set by default: then a rendezvous reforms for ever, as torch's does."""

    quarantine: Quarantine | None = None
    max_rounds: int | None = None
    no_progress: NoProgress | None = None


@dataclass(frozen=True, slots=True)
class RecentLoss:
    """One loss that counts against a place, such as ``node/gpu-7`` or ``slot/3``."""

    place: str
    member: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class QuarantinedPlace:
    """A place that no round takes members from, until it is lifted."""

    place: str
    since: datetime
    message: str


def places_at(node_name: str, slot: str) -> set[str]:
    """The names of the places where a member sits, as `status.quarantined` has them; "" is no place."""
    places = {f"node/{node_name}"} if node_name else set()
    return places | ({f"slot/{slot}"} if slot else set())


def possible_places(node_name: str, pod_name: str, slot: str) -> set[str]:
    """Every name that the operator may have for the places where a member sits: for sentences, not for decisions."""
    return places_at(node_name, "") | {f"slot/{name}" for name in possible_slots(pod_name, slot)}


def parse_failure_policy(policy: Mapping[str, Any]) -> FailurePolicy:
    """Read `spec.failurePolicy`."""
    quarantine, no_progress = policy.get("quarantine"), policy.get("noProgress")
    return FailurePolicy(
        quarantine=Quarantine(int(quarantine["losses"]), int(quarantine["windowSeconds"])) if quarantine else None,
        max_rounds=int(policy["maxRounds"]) if policy.get("maxRounds") else None,
        no_progress=NoProgress(int(no_progress["rounds"]), int(no_progress["withinSeconds"])) if no_progress else None,
    )


def failure_policy_to_json(policy: FailurePolicy) -> dict[str, Any]:
    """The policy as a manifest has it; {} if nothing is set."""
    out: dict[str, Any] = {}
    if policy.quarantine is not None:
        out["quarantine"] = {"losses": policy.quarantine.losses, "windowSeconds": policy.quarantine.window_seconds}
    if policy.max_rounds is not None:
        out["maxRounds"] = policy.max_rounds
    if policy.no_progress is not None:
        out["noProgress"] = {
            "rounds": policy.no_progress.rounds,
            "withinSeconds": policy.no_progress.within_seconds,
        }
    return out


def parse_losses(losses: Any) -> tuple[RecentLoss, ...]:
    """Read `status.recentLosses`."""
    return tuple(_loss(loss) for loss in losses or ())


def _loss(loss: Mapping[str, Any]) -> RecentLoss:
    place, member, reason = (one_line(loss.get(key, "")) for key in ("place", "member", "reason"))
    return RecentLoss(place, member, reason, parse_time(loss["at"]))


def losses_to_json(losses: tuple[RecentLoss, ...]) -> list[dict[str, Any]]:
    """Write `status.recentLosses`."""
    return [
        {"place": loss.place, "member": loss.member, "reason": loss.reason, "at": format_time(loss.at)}
        for loss in losses
    ]


def parse_quarantined(places: Any) -> tuple[QuarantinedPlace, ...]:
    """Read `status.quarantined`."""
    return tuple(
        QuarantinedPlace(one_line(place["place"]), parse_time(place["since"]), one_line(place.get("message", "")))
        for place in places or ()
    )


def quarantined_to_json(places: tuple[QuarantinedPlace, ...]) -> list[dict[str, Any]]:
    """Write `status.quarantined`."""
    return [{"place": place.place, "since": format_time(place.since), "message": place.message} for place in places]
