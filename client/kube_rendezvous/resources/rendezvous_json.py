"""``Rendezvous`` from and to the API server's JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_rendezvous.printable_text import one_line, one_lines
from kube_rendezvous.resources.admission_spec import admission_to_json, parse_admission
from kube_rendezvous.resources.comings import comings_to_json, parse_comings
from kube_rendezvous.resources.failure_policy import (
    failure_policy_to_json,
    losses_to_json,
    parse_failure_policy,
    parse_losses,
    parse_quarantined,
    quarantined_to_json,
)
from kube_rendezvous.resources.names import MANAGED_BY_LABEL, TRUST_ANNOTATION
from kube_rendezvous.resources.past_rounds import parse_past_rounds, past_rounds_to_json
from kube_rendezvous.resources.rank_keys import parse_rank_keys, rank_keys_to_lines
from kube_rendezvous.resources.ranking_spec import parse_ranking, ranking_to_json
from kube_rendezvous.resources.rendezvous import (
    USUAL_HEARTBEAT_SECONDS,
    BootstrapStore,
    Closed,
    Condition,
    Forming,
    LateJoiners,
    Question,
    RefusedMember,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
    Reopen,
    SlicedAssignment,
    State,
)
from kube_rendezvous.resources.timestamps import format_time, parse_time

_LONGEST_ANNOTATION = 64 << 10
"""Characters: places for the largest rendezvous."""


def parse_rendezvous(obj: Mapping[str, Any]) -> Rendezvous:
    """Read a Rendezvous from the API server's JSON, whose schema has already been enforced there. Texts are one line.

    Raises:
        KeyError, ValueError, TypeError: the object does not follow the CRD.
    """
    meta: Mapping[str, Any] = obj["metadata"]
    return Rendezvous(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        spec=_parse_spec(obj["spec"]),
        status=_parse_status(obj.get("status") or {}),
        trusted_places=_trusted(meta.get("annotations") or {}),
        managed_by=(meta.get("labels") or {}).get(MANAGED_BY_LABEL, ""),
        being_deleted="deletionTimestamp" in meta,
        finalizers=tuple(meta.get("finalizers") or ()),
        created=parse_time(meta["creationTimestamp"]) if "creationTimestamp" in meta else None,
    )


def _trusted(annotations: Mapping[str, str]) -> frozenset[str]:
    places = annotations.get(TRUST_ANNOTATION, "")[:_LONGEST_ANNOTATION].split(",")
    return frozenset(place.strip() for place in places if place.strip())


def _parse_spec(spec: Mapping[str, Any]) -> RendezvousSpec:
    return RendezvousSpec(
        min_nodes=int(spec["minNodes"]),
        max_nodes=int(spec.get("maxNodes") or spec["minNodes"]),
        node_unit=int(spec.get("nodeUnit", 1)),
        last_call_seconds=int(spec.get("lastCallSeconds", 30)),
        heartbeat_seconds=int(spec.get("heartbeatSeconds", USUAL_HEARTBEAT_SECONDS)),
        late_joiners=LateJoiners(spec.get("lateJoiners", LateJoiners.RESTART)),
        reopen=Reopen(spec.get("reopen", Reopen.WHEN_EMPTY)),
        closed=bool(spec.get("closed", False)),
        max_spares=(spec.get("standby") or {}).get("max"),
        failure_policy=parse_failure_policy(spec.get("failurePolicy") or {}),
        ranking=parse_ranking(spec.get("ranking") or {}),
        admission=parse_admission(spec.get("admission") or {}),
    )


def spec_to_json(spec: RendezvousSpec) -> dict[str, Any]:
    """The spec as a manifest has it."""
    out: dict[str, Any] = {
        "minNodes": spec.min_nodes,
        "maxNodes": spec.max_nodes,
        "nodeUnit": spec.node_unit,
        "lastCallSeconds": spec.last_call_seconds,
        "heartbeatSeconds": spec.heartbeat_seconds,
        "lateJoiners": str(spec.late_joiners),
        "reopen": str(spec.reopen),
        "closed": spec.closed,
    }
    if spec.max_spares is not None:
        out["standby"] = {"max": spec.max_spares}
    if policy := failure_policy_to_json(spec.failure_policy):
        out["failurePolicy"] = policy
    if admission := admission_to_json(spec.admission):
        out["admission"] = admission
    if ranking := ranking_to_json(spec.ranking):
        out["ranking"] = ranking
    return out


def _parse_status(status: Mapping[str, Any]) -> RendezvousStatus:
    store, forming, closed = status.get("bootstrapStore"), status.get("forming"), status.get("closed")
    return RendezvousStatus(
        observed_generation=int(status.get("observedGeneration", 0)),
        state=_parse_state(status.get("state")),
        round=int(status.get("round", 0)),
        sliced=_parse_slices(status),
        ranks=_lines(status.get("ranks")),
        slots=_lines(status.get("slots")),
        incarnations=tuple(status.get("incarnations") or ()),
        domains=_lines(status.get("domains")),
        bootstrap_store=BootstrapStore(store["member"], store["address"], int(store["port"])) if store else None,
        forming=_parse_forming(forming) if forming else None,
        standby=int(status.get("standby", 0)),
        spares=_lines(status.get("spares")),
        surplus=_lines(status.get("surplus")),
        opened_after=int(status.get("openedAfter", 0)),
        recent_losses=parse_losses(status.get("recentLosses")),
        comings=parse_comings(status.get("comings")),
        quarantined=parse_quarantined(status.get("quarantined")),
        refused=tuple(RefusedMember(r["member"], r.get("message", "")) for r in status.get("refused") or ()),
        questions=tuple(_parse_question(q) for q in status.get("questions") or ()),
        closed=_parse_closed(closed) if closed else None,
        heartbeat_seconds=int(status.get("heartbeatSeconds", 0)),
        conditions=tuple(_parse_condition(c) for c in status.get("conditions") or ()),
        history=parse_past_rounds(status.get("history")),
    )


def _parse_slices(status: Mapping[str, Any]) -> SlicedAssignment | None:
    slices = status.get("slices")
    if not slices:
        return None
    world_size = int(status.get("worldSize", 0))
    return SlicedAssignment(
        world_size=world_size,
        members=tuple(slices["members"]),
        history=str(slices.get("history", "")),
        rank_keys=parse_rank_keys(slices.get("rankKeys"), world_size),
    )


def _parse_question(question: Mapping[str, Any]) -> Question:
    return Question(
        member=one_line(question["member"]),
        by=one_line(question.get("by", "")),
        at=parse_time(question["at"]),
        renewed=one_line(question.get("renewed", "")),
    )


def _lines(texts: Sequence[str] | None) -> tuple[str, ...]:
    return one_lines(texts or ())


def _parse_state(text: Any) -> State:
    """The word is for people and made anew by each decision: one that a newer operator has written hinders nobody."""
    try:
        return State(text)
    except ValueError:
        return State.WAITING


def _parse_forming(forming: Mapping[str, Any]) -> Forming:
    deadline = forming.get("deadline")
    return Forming(
        round=int(forming["round"]),
        reason=one_line(forming["reason"]),
        message=one_line(forming.get("message", "")),
        interrupts=bool(forming.get("interrupts", False)),
        since=parse_time(forming["since"]),
        deadline=parse_time(deadline) if deadline else None,
        arrived=int(forming.get("arrived", 0)),
        required=int(forming.get("required", 1)),
        waiting_for=_lines(forming.get("waitingFor")),
    )


def _parse_closed(closed: Mapping[str, Any]) -> Closed:
    return Closed(
        by=one_line(closed.get("by", "")),
        at=parse_time(closed["at"]),
        reason=one_line(closed["reason"]),
        message=one_line(closed.get("message", "")),
        reopens_on_join=bool(closed.get("reopensOnJoin", False)),
        interrupts=bool(closed.get("interrupts", False)),
    )


def _parse_condition(condition: Mapping[str, Any]) -> Condition:
    return Condition(
        type=condition["type"],
        status=condition["status"],
        reason=one_line(condition["reason"]),
        message=one_line(condition.get("message", "")),
        last_transition_time=parse_time(condition["lastTransitionTime"]),
        observed_generation=int(condition.get("observedGeneration", 0)),
    )


def status_to_json(status: RendezvousStatus) -> dict[str, Any]:
    """The status as the operator writes it. ``parse`` of it gives an equal status again, unless it has slices: what
    these say is not in it."""
    out: dict[str, Any] = {
        "observedGeneration": status.observed_generation,
        "state": str(status.state),
        "round": status.round,
        "worldSize": status.world_size,
        "standby": status.standby,
        "heartbeatSeconds": status.heartbeat_seconds,
        "conditions": [_condition_to_json(c) for c in status.conditions],
    }
    out |= _slices_to_json(status, status.sliced) if status.sliced is not None else _assignment_to_json(status)
    out |= {key: value for key, value in _only_if_used(status).items() if value}
    if status.bootstrap_store is not None:
        store = status.bootstrap_store
        out["bootstrapStore"] = {"member": store.member, "address": store.address, "port": store.port}
    if status.forming is not None:
        out["forming"] = _forming_to_json(status.forming)
    if status.closed is not None:
        out["closed"] = _closed_to_json(status.closed)
    return out


def _assignment_to_json(status: RendezvousStatus) -> dict[str, Any]:
    out: dict[str, Any] = {
        "ranks": list(status.ranks),
        "slots": list(status.slots),
        "history": past_rounds_to_json(status.history),
    }
    if status.incarnations:
        out["incarnations"] = list(status.incarnations)
    if status.domains:
        out["domains"] = list(status.domains)
    return out


def _slices_to_json(status: RendezvousStatus, sliced: SlicedAssignment) -> dict[str, Any]:
    """Where the names lie, and why there is this round: members say it when they stop for it."""
    newest = [replace(past, joined=(), left=()) for past in status.history[:1]]
    slices: dict[str, Any] = {"members": list(sliced.members), "history": sliced.history}
    if sliced.rank_keys:
        slices["rankKeys"] = rank_keys_to_lines(sliced.rank_keys)
    return {
        "slices": slices,
        "history": past_rounds_to_json(newest),
    }


def _only_if_used(status: RendezvousStatus) -> dict[str, Any]:
    """Fields that most rendezvous never need: left out while they are empty, each write goes to every member."""
    return {
        "spares": list(status.spares),
        "surplus": list(status.surplus),
        "openedAfter": status.opened_after,
        "recentLosses": losses_to_json(status.recent_losses),
        "comings": comings_to_json(status.comings),
        "quarantined": quarantined_to_json(status.quarantined),
        "refused": [{"member": one.member, "message": one.message} for one in status.refused],
        "questions": [
            {"member": q.member, "by": q.by, "at": format_time(q.at), "renewed": q.renewed} for q in status.questions
        ],
    }


def _closed_to_json(closed: Closed) -> dict[str, Any]:
    out: dict[str, Any] = {
        "by": closed.by,
        "at": format_time(closed.at),
        "reason": closed.reason,
        "message": closed.message,
        "reopensOnJoin": closed.reopens_on_join,
    }
    if closed.interrupts:
        out["interrupts"] = True
    return out


def _forming_to_json(forming: Forming) -> dict[str, Any]:
    out: dict[str, Any] = {
        "round": forming.round,
        "reason": forming.reason,
        "message": forming.message,
        "interrupts": forming.interrupts,
        "since": format_time(forming.since),
        "arrived": forming.arrived,
        "required": forming.required,
        "waitingFor": list(forming.waiting_for),
    }
    if forming.deadline is not None:
        out["deadline"] = format_time(forming.deadline)
    return out


def _condition_to_json(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": format_time(condition.last_transition_time),
        "observedGeneration": condition.observed_generation,
    }
