"""The history of rounds from and to the API server's JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from kube_rendezvous.printable_text import one_line, one_lines
from kube_rendezvous.resources.rendezvous import PastRound
from kube_rendezvous.resources.timestamps import format_time, parse_time


def parse_past_rounds(history: Sequence[Mapping[str, Any]] | None) -> tuple[PastRound, ...]:
    """The newest first, as they are written."""
    return tuple(map(_parse, history or ()))


def past_rounds_to_json(history: Sequence[PastRound]) -> list[dict[str, Any]]:
    """`parse_past_rounds` of it gives equal ones again."""
    return list(map(_to_json, history))


def _parse(past: Mapping[str, Any]) -> PastRound:
    return PastRound(
        round=int(past["round"]),
        reason=one_line(past["reason"]),
        message=one_line(past.get("message", "")),
        world_size=int(past["worldSize"]),
        joined=one_lines(past.get("joined") or ()),
        joined_count=int(past.get("joinedCount", 0)),
        left=one_lines(past.get("left") or ()),
        left_count=int(past.get("leftCount", 0)),
        moved_ranks=int(past.get("movedRanks", 0)),
        formed_at=parse_time(past["formedAt"]),
        forming_seconds=float(past.get("formingSeconds", 0.0)),
    )


def _to_json(past: PastRound) -> dict[str, Any]:
    return {
        "round": past.round,
        "reason": past.reason,
        "message": past.message,
        "worldSize": past.world_size,
        "joined": list(past.joined),
        "joinedCount": past.joined_count,
        "left": list(past.left),
        "leftCount": past.left_count,
        "movedRanks": past.moved_ranks,
        "formedAt": format_time(past.formed_at),
        "formingSeconds": past.forming_seconds,
    }
