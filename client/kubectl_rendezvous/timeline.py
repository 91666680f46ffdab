"""`history`: the rounds as a timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kube_rendezvous.resources import PastRound
from kube_rendezvous_core.formation.formation import FIRST_ROUND, REOPENED
from kubectl_rendezvous.tables import NONE, Table
from kubectl_rendezvous.wording import age, count, listed, span

_NAMES_SHOWN = 2


def oldest_first(history: Sequence[PastRound]) -> tuple[PastRound, ...]:
    """The rounds in the order in which they were formed."""
    return tuple(sorted(history, key=lambda past: past.round))


def seconds_lost(past: PastRound) -> float:
    """For how long members of an earlier round stood still for this one; 0 if there were none."""
    return 0.0 if past.reason in (FIRST_ROUND, REOPENED) else past.forming_seconds


def timeline_table(history: Sequence[PastRound], now: datetime, *, wide: bool) -> Table:
    """Rounds, one a line, the oldest first.

    Args:
        wide: with all names, and the reason as a sentence.
    """
    titles = ["ROUND", "FORMED", "AGO", "WORLD", "WHY", "LOST", "MOVED", "CAME", "WENT"]
    rows = []
    for past in oldest_first(history):
        row = [
            str(past.round),
            past.formed_at.strftime("%Y-%m-%d %H:%M:%S"),
            age((now - past.formed_at).total_seconds()),
            str(past.world_size),
            past.reason,
            span(seconds_lost(past)),
            str(past.moved_ranks),
            _names(past.joined, past.joined_count, wide=wide),
            _names(past.left, past.left_count, wide=wide),
        ]
        rows.append((*row, past.message) if wide else tuple(row))
    return Table((*titles, "MESSAGE") if wide else tuple(titles), tuple(rows))


def summary(history: Sequence[PastRound]) -> str:
    """How much time the changes of membership took, in one sentence."""
    changes = [past for past in history if past.reason not in (FIRST_ROUND, REOPENED)]
    oldest = min((past.round for past in history), default=0)
    earlier = f" Rounds before {oldest} are not kept." if oldest > 1 else ""
    if not changes:
        return f"No time was lost to changes of membership.{earlier}"
    lost = sum(seconds_lost(past) for past in changes)
    worst = max(changes, key=seconds_lost)
    return (
        f"{count(len(changes), 'change')} of membership took {span(lost)} together, "
        f"the longest {span(seconds_lost(worst))} (round {worst.round}, {worst.reason}).{earlier}"
    )


def history_document(history: Sequence[PastRound]) -> list[dict[str, Any]]:
    """The same for programs, the oldest first."""
    return [round_document(past) for past in oldest_first(history)]


def round_document(past: PastRound) -> dict[str, Any]:
    """One round for programs."""
    return {
        "round": past.round,
        "formedAt": past.formed_at.isoformat(),
        "reason": past.reason,
        "message": past.message,
        "worldSize": past.world_size,
        "formingSeconds": past.forming_seconds,
        "lostSeconds": seconds_lost(past),
        "movedRanks": past.moved_ranks,
        "joined": list(past.joined),
        "joinedCount": past.joined_count,
        "left": list(past.left),
        "leftCount": past.left_count,
    }


def _names(names: Sequence[str], number: int, *, wide: bool) -> str:
    if not names:
        return NONE
    shown = len(names) if wide else _NAMES_SHOWN
    return listed(names, shown) if number == len(names) else f"{', '.join(names[:shown])} and {number - shown} more"
