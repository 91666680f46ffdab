"""No time in a status makes a rendezvous wait for longer than its rules do, whoever wrote it and by whichever clock.

A beginning lies not in the future, an end not farther off than the wait that it ends. Otherwise a clock that was set
back, or a hand that wrote a status, would hold up a formation for as long as the difference.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from kube_rendezvous.resources import Forming, RendezvousSpec, RendezvousStatus


def plausible(
    status: RendezvousStatus, spec: RendezvousSpec, longest_stop: timedelta, now: datetime
) -> RendezvousStatus:
    """The status with every time that a wait is counted from or to brought into what is possible now: often as it was.

    Args:
        status: as it was read.
        spec: tells how long last call is.
        longest_stop: how long members of the old round may take to stop, from the beginning of the formation.
        now: wall clock, UTC.
    """
    forming = _plausible(status.forming, spec, longest_stop, now) if status.forming is not None else None
    if forming is status.forming and not any(moment > now for moment in _beginnings(status)):
        return status
    return replace(
        status,
        forming=forming,
        recent_losses=tuple(replace(loss, at=now) if loss.at > now else loss for loss in status.recent_losses),
        comings=tuple(replace(coming, at=now) if coming.at > now else coming for coming in status.comings),
        history=tuple(replace(past, formed_at=now) if past.formed_at > now else past for past in status.history),
    )


def _beginnings(status: RendezvousStatus) -> Iterator[datetime]:
    """Of what is over."""
    yield from (loss.at for loss in status.recent_losses)
    yield from (coming.at for coming in status.comings)
    yield from (past.formed_at for past in status.history)


def _plausible(forming: Forming, spec: RendezvousSpec, longest_stop: timedelta, now: datetime) -> Forming:
    since, deadline = min(forming.since, now), forming.deadline
    if deadline is not None:
        latest = now + timedelta(seconds=spec.last_call_seconds)
        if forming.interrupts:
            latest = max(latest, since + longest_stop)
        deadline = min(deadline, latest)
    if since is forming.since and deadline is forming.deadline:
        return forming
    return replace(forming, since=since, deadline=deadline)
