"""Conditions and the one-word state: what a person reads first, with what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kube_rendezvous.resources import Closed, Condition, Forming, RendezvousStatus, State

FORMED = "Formed"
STALLED = "Stalled"
CLOSED = "Closed"
QUARANTINED = "Quarantined"

IMPOSSIBLE = "Impossible"
"""Reason of `Stalled`: too few nodes can ever come."""

STALLED_AFTER_SECONDS = 30.0
"""A formation with too few members for this long is reported as stalled."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A condition that most rendezvous never have: it is absent as long as it has never held.

    Args:
        kind: type of the condition.
        holds: None: not known (yet); the condition stays as it is.
        reason, message: while it holds; the message says what to do.
        over_reason, over_message: afterwards.
    """

    kind: str
    holds: bool | None
    reason: str
    message: str
    over_reason: str
    over_message: str


def state_of(closed: Closed | None, forming: Forming | None) -> State:
    """One word for people."""
    if closed is not None:
        return State.CLOSED
    if forming is None:
        return State.ACTIVE
    if forming.interrupts:
        return State.REFORMING
    return State.LAST_CALL if forming.deadline is not None else State.WAITING


def is_stalled(forming: Forming | None, now: datetime) -> bool:
    """Whether a formation has had too few members for too long."""
    return (
        forming is not None
        and forming.deadline is None
        and forming.arrived < forming.required
        and (now - forming.since).total_seconds() >= STALLED_AFTER_SECONDS
    )


def describe(status: RendezvousStatus) -> str:
    """What happens now, in one sentence. Also the verdict that is logged when it changes."""
    closed, forming = status.closed, status.forming
    if closed is not None:
        again = "; the next one to join opens it again" if closed.reopens_on_join else ""
        closing = closed.message if closed.message.startswith("closed by") else f"closed: {closed.message}"
        return f"{closing[0].upper()}{closing[1:]}{again}."
    if forming is None:
        spare = f", {status.standby} on standby" if status.standby else ""
        return f"Round {status.round} stands with {nodes(status.world_size)}{spare}."
    if not forming.interrupts and status.world_size:
        return (
            f"Round {status.round} goes on while newcomers gather for round {forming.round}: {forming.message}, "
            f"{forming.arrived} wait, until {_clock(forming.deadline)}."
        )
    people = f"{forming.arrived} of {forming.required} required nodes are here"
    why = f"Round {forming.round} is being formed ({forming.reason}: {forming.message})"
    if forming.deadline is not None:
        return f"{why}: {people}; last call ends at {_clock(forming.deadline)}."
    if forming.waiting_for:
        return f"{why}: {people}; still awaited: {', '.join(forming.waiting_for)}."
    return f"{why}: {people}; start more nodes or lower spec.minNodes."


def set_conditions(
    status: RendezvousStatus,
    generation: int,
    now: datetime,
    impossible: str = "",
    notices: Iterable[Notice] = (),
) -> tuple[Condition, ...]:
    """All conditions for a status whose other fields are settled. A transition time changes only with the status.

    Args:
        status: holds the earlier conditions.
        generation: of the spec that was observed.
        now: wall clock, UTC.
        impossible: why the round in the making cannot be formed, with what to do; "" if it can.
        notices: what most rendezvous never have.
    """
    earlier = {condition.type: condition for condition in status.conditions}
    sentence = describe(status)

    def condition(kind: str, holds: bool, reason: str, message: str) -> Condition:
        value = "True" if holds else "False"
        was = earlier.get(kind)
        since = was.last_transition_time if was is not None and was.status == value else now
        return Condition(kind, value, reason, message[:1024], since, generation)

    formed = status.closed is None and status.round > 0 and not _interrupted(status.forming)
    reason = "Closed" if status.closed else "RoundFormed" if formed else str(state_of(None, status.forming))
    stalled = bool(impossible) or is_stalled(status.forming, now)
    hindrance = IMPOSSIBLE if impossible else "NotEnoughMembers"
    conditions: tuple[Condition, ...] = (
        condition(FORMED, formed, reason, sentence),
        condition(
            STALLED,
            stalled,
            hindrance if stalled else "Progressing",
            (impossible or sentence) if stalled else "Nothing holds the rendezvous up.",
        ),
        condition(
            CLOSED,
            status.closed is not None,
            status.closed.reason if status.closed else "Open",
            sentence if status.closed else "The rendezvous is open.",
        ),
    )
    left_out = "; ".join(place.message for place in status.quarantined)
    quarantine = Notice(
        QUARANTINED, bool(left_out), "PlacesLeftOut", left_out, "NobodyLeftOut", "No place is left out."
    )
    for notice in (quarantine, *notices):
        was = earlier.get(notice.kind)
        if notice.holds is None:
            conditions += (was,) if was is not None else ()
        elif notice.holds or was is not None:
            reason, message = (
                (notice.reason, notice.message) if notice.holds else (notice.over_reason, notice.over_message)
            )
            conditions += (condition(notice.kind, notice.holds, reason, message),)
    return conditions


def newly_true(kind: str, before: Sequence[Condition], after: Sequence[Condition]) -> Condition | None:
    """The condition of this type if it has just become true."""
    was = next((c for c in before if c.type == kind), None)
    now = next((c for c in after if c.type == kind), None)
    if now is None or now.status != "True" or (was is not None and was.status == "True"):
        return None
    return now


def nodes(count: int) -> str:
    """The number with its noun, for sentences."""
    return "1 node" if count == 1 else f"{count} nodes"


def _interrupted(forming: Forming | None) -> bool:
    return forming is not None and forming.interrupts


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%H:%M:%S UTC") if moment is not None else "nobody knows when"
