"""What the page shows, as JSON. Moments are seconds since 1970, so that the browser can let ages grow by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from kube_rendezvous.printable_text import printable
from kube_rendezvous.resources import Forming, Member, PastRound
from kubectl_rendezvous.causes import Finding
from kubectl_rendezvous.causes.membership import why_not_in
from kubectl_rendezvous.dashboard.place_paths import paths_of_members
from kubectl_rendezvous.heartbeats import limit_of, renewed_at
from kubectl_rendezvous.observation import Hold, Observation, SeenRendezvous
from kubectl_rendezvous.tables import state_of, verdict
from kubectl_rendezvous.timeline import round_document
from kubectl_rendezvous.wording import as_sentence

View: TypeAlias = dict[str, Any]

KEYED = ("rendezvous", "members")
"""Parts of a view that map keys to rows, of which single rows change."""

LATE_FRACTION = 2 / 3
"""Of the time of silence after which a member is lost; from there on `explain` names it, too."""


def list_view(all_seen: Iterable[SeenRendezvous], scope: str, now: datetime, trouble: str = "") -> View:
    """All rendezvous.

    Args:
        scope: what was asked for, in words.
        trouble: why this may be old; "" if it is not.
    """
    return _printable(
        {
            "now": _moment(now),
            "scope": scope,
            "trouble": trouble,
            "rendezvous": {
                f"{seen.rendezvous.namespace}/{seen.rendezvous.name}": _line(seen)
                for seen in sorted(all_seen, key=lambda s: (s.rendezvous.namespace, s.rendezvous.name))
            },
        }
    )


def rendezvous_view(
    observation: Observation, findings: Sequence[Finding], happened: Sequence[tuple[datetime, str]], trouble: str = ""
) -> View:
    """One Rendezvous.

    Args:
        findings: as `find_causes` answers them.
        happened: when what changed, the newest last.
        trouble: why this may be old; "" if it is not.
    """
    status = observation.rendezvous.status
    limit = limit_of(observation.rendezvous)
    return _printable(
        {
            "now": _moment(observation.now),
            "trouble": trouble,
            "head": _line(observation.seen),
            "forming": _forming(status.forming) if status.forming is not None and status.closed is None else None,
            "findings": [
                {
                    "sentence": as_sentence(finding.sentence),
                    "nextStep": as_sentence(finding.next_step),
                    "problem": not finding.harmless,
                }
                for finding in findings
            ],
            "levels": [key.rsplit("/", 1)[-1] for key in observation.rendezvous.spec.ranking.topology_keys],
            "lateSeconds": limit * LATE_FRACTION,
            "lostSeconds": limit,
            "members": dict(_members(observation)),
            "pods": [
                *({"name": p.name, "why": f"has not joined: {p.why}"} for p in observation.pods_to_join),
                *(
                    {"name": p.name, "why": f"has ended: {p.why}"}
                    for p in observation.labelled_pods
                    if p.hold is Hold.ENDED
                ),
            ],
            "rounds": [_round(past) for past in sorted(status.history, key=lambda p: -p.round)],
            "happened": [{"at": _moment(at), "text": text} for at, text in happened],
            "notes": list(observation.notes),
        }
    )


def missing_view(name: str, now: datetime, sentence: str) -> View:
    """Why there is nothing to show of a Rendezvous."""
    return _printable({"now": _moment(now), "trouble": "", "head": None, "missing": sentence, "name": name})


def _line(seen: SeenRendezvous) -> View:
    rendezvous = seen.rendezvous
    status, spec = rendezvous.status, rendezvous.spec
    return {
        "namespace": rendezvous.namespace,
        "name": rendezvous.name,
        "state": state_of(seen),
        "round": status.round,
        "worldSize": status.world_size,
        "minNodes": spec.min_nodes,
        "maxNodes": spec.max_nodes,
        "standby": status.standby,
        "rankZero": status.bootstrap_store.member if status.bootstrap_store is not None else "",
        "created": _moment(seen.created),
        "verdict": verdict(seen),
    }


def _forming(forming: Forming) -> View:
    return {
        "round": forming.round,
        "reason": forming.reason,
        "message": as_sentence(forming.message),
        "interrupts": forming.interrupts,
        "since": _moment(forming.since),
        "deadline": _moment(forming.deadline) if forming.deadline is not None else None,
        "arrived": forming.arrived,
        "required": forming.required,
        "waitingFor": list(forming.waiting_for),
    }


def _round(past: PastRound) -> View:
    return {**round_document(past), "message": as_sentence(past.message), "formedAt": _moment(past.formed_at)}


def _members(observation: Observation) -> Iterable[tuple[str, View]]:
    """Members by name: those of the round in the order of their ranks, then the others."""
    status = observation.rendezvous.status
    paths = paths_of_members(observation)
    by_name = {member.name: member for member in observation.members}
    for rank, name in enumerate(status.ranks):
        member = by_name.get(name)
        if member is None:
            yield name, _row(rank, None, "gone", "its RendezvousMember is gone", paths.get(name, ()))
        elif member.leaving:
            yield name, _row(rank, member, "leaving", "it leaves", paths[name])
        elif member.after_round >= status.round:
            yield name, _row(rank, member, "again", "it has joined again and waits for the next round", paths[name])
        else:
            yield name, _row(rank, member, "in", "", paths[name])
    for member in observation.spares:
        standing = "waiting" if status.forming is not None or not status.ranks else "standby"
        yield member.name, _row(None, member, standing, why_not_in(observation, member), paths[member.name])


def _row(rank: int | None, member: Member | None, standing: str, why: str, path: Sequence[str]) -> View:
    renewed = renewed_at(member) if member is not None else None
    return {
        "rank": rank,
        "standing": standing,
        "why": why,
        "path": list(path),
        "pod": member.pod_name if member is not None else "",
        "node": member.node_name if member is not None else "",
        "slot": member.slot if member is not None else "",
        "address": f"{member.address}:{member.port}" if member is not None else "",
        "joined": _moment(member.created) if member is not None else None,
        "renewed": _moment(renewed) if renewed is not None else None,
    }


def _moment(moment: datetime) -> float:
    return round(moment.timestamp(), 3)


def _printable(view: View) -> View:
    """Without what would turn the direction of the reader's text: names come from anybody in the cluster."""
    return {printable(key): _printable_value(value) for key, value in view.items()}


def _printable_value(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return _printable(value)
    return list(map(_printable_value, value)) if isinstance(value, list) else value
