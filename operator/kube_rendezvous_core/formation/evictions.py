"""What is done about members whose pods somebody asks to be evicted, and what is answered.

Such a member departs, as one on a drained node does: the next round is formed without it. Where the pod names the
operator as a responder, its eviction waits for the answer. That is given when no round rests on the member any more;
when its workers have ended and too few are there for a round (its replacement may come only when it has gone); or when
the time for that is up.
"""

from datetime import datetime, timedelta

from kube_rendezvous.resources import Member, Rendezvous, RendezvousStatus
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS
from kube_rendezvous_core.liveness.liveness import Liveness
from kube_rendezvous_core.liveness.pod_liveness import EVICTION_REQUESTED
from kube_rendezvous_core.observed.observation import EvictionAnswer
from kube_rendezvous_core.observed.surroundings import ObservedEviction, Surroundings

EVICTIONS_REQUESTED = "EvictionsRequested"

LONGEST_HANDOVER_SECONDS = 900.0
"""Kubernetes goes on without a responder that has said nothing for 20 minutes."""

_NAMED = 5


def handover_seconds(last_call_seconds: float) -> float:
    """For how long an eviction waits at the most: until the survivors have joined again and last call is over."""
    return min(REJOIN_SECONDS + last_call_seconds, LONGEST_HANDOVER_SECONDS)


def eviction_answers(
    rendezvous: Rendezvous, status: RendezvousStatus, liveness: Liveness, surroundings: Surroundings, now: datetime
) -> tuple[EvictionAnswer, ...]:
    """The answers that are due.

    Args:
        rendezvous: whose pods they are.
        status: that is to be written.
        liveness: of its members.
        surroundings: with the evictions.
        now: wall clock, UTC.
    """
    due = _due(liveness, surroundings)
    limit = timedelta(seconds=handover_seconds(rendezvous.spec.last_call_seconds))
    members = {member.pod_uid: member for member in liveness.present if member.pod_uid}
    living = len(liveness.alive)
    answers = (_answer(status, one, began, members.get(one.pod_uid), living, began + limit, now) for one, began in due)
    return tuple(answer for answer in answers if answer is not None)


def _answer(
    status: RendezvousStatus,
    eviction: ObservedEviction,
    began: datetime,
    member: Member | None,
    living: int,
    until: datetime,
    now: datetime,
) -> EvictionAnswer | None:
    at = max(now, began)  # by its own clock it has not begun before
    if member is None or member.name not in status.ranks:
        text = f"No round of the rendezvous rests on it; the newest is round {status.round}."
    elif status.closed is not None:
        text = "The rendezvous is closed."
    elif _has_nothing_to_wait_for(status, member, living):
        text = "Its workers have ended; too few others are there for a round without it."
    elif at >= until:
        text = "It could not be handed over in time."
    elif eviction.heard:
        return None
    else:
        forming = status.forming.round if status.forming is not None else status.round + 1
        text = f"{member.name} has a place in round {status.round}; round {forming} is formed without it."
        return EvictionAnswer(eviction, text, at, completes=False, expected=until)
    return EvictionAnswer(eviction, text, at, completes=True)


def _has_nothing_to_wait_for(status: RendezvousStatus, member: Member, living: int) -> bool:
    forming = status.forming
    return forming is not None and living < forming.required and member.after_round == status.round


def answers_due_in(
    rendezvous: Rendezvous, liveness: Liveness, surroundings: Surroundings, now: datetime
) -> float | None:
    """Seconds until the time of the first of those who wait is up; None: nobody waits, or it is."""
    limit = handover_seconds(rendezvous.spec.last_call_seconds)
    left = (limit - (now - began).total_seconds() for _, began in _due(liveness, surroundings))
    return min((seconds for seconds in left if seconds > 0), default=None)


def _due(liveness: Liveness, surroundings: Surroundings) -> list[tuple[ObservedEviction, datetime]]:
    if not surroundings.evictions:
        return []
    pods = {*surroundings.pods, *(member.pod_uid for member in liveness.present)}
    waiting = (surroundings.evictions[uid] for uid in sorted(pods) if uid in surroundings.evictions)
    return [(one, one.began) for one in waiting if one.began is not None and not one.answered]


def requested_evictions(liveness: Liveness) -> Notice:
    """The condition that names members that no round takes because their eviction is asked for."""
    asked = sorted(loss.name for loss in liveness.departing if loss.reason == EVICTION_REQUESTED)
    more = f" and {len(asked) - _NAMED} more" if len(asked) > _NAMED else ""
    return Notice(
        EVICTIONS_REQUESTED,
        bool(asked),
        "HandedOver",
        f"No round takes {', '.join(asked[:_NAMED])}{more}: the eviction of their pods is asked for. To keep one, "
        "withdraw or delete the EvictionRequest.",
        "NoneRequested",
        "Nobody asks for the eviction of a member's pod.",
    )
