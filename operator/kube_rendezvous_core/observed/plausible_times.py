"""No time in a status makes a rendezvous wait for longer than its rules do, whoever wrote it and by whichever clock.

A beginning lies not in the future, an end not farther off than the wait that it ends. Otherwise a clock that was set
back, or a hand that wrote a status, would hold up a formation for as long as the difference.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from kube_rendezvous.resources import Forming, RendezvousSpec, RendezvousStatus


def plausible(
    status: RendezvousStatus, spec: RendezvousSpec, longest_stop: timedelta, now: datetime
) -> RendezvousStatus:
    """The status with every time that a wait is counted from or to brought into what is possible now.

    Args:
        status: as it was read.
        spec: tells how long last call is.
        longest_stop: how long members of the old round may take to stop, from the beginning of the formation.
        now: wall clock, UTC.
    """
    return replace(
        status,
        forming=_plausible(status.forming, spec, longest_stop, now) if status.forming is not None else None,
        recent_losses=tuple(replace(loss, at=now) if loss.at > now else loss for loss in status.recent_losses),
        comings=tuple(replace(coming, at=now) if coming.at > now else coming for coming in status.comings),
        history=tuple(replace(past, formed_at=now) if past.formed_at > now else past for past in status.history),
    )


def _plausible(forming: Forming, spec: RendezvousSpec, longest_stop: timedelta, now: datetime) -> Forming:
    since = min(forming.since, now)
    if forming.deadline is None:
        return replace(forming, since=since)
    latest = now + timedelta(seconds=spec.last_call_seconds)
    if forming.interrupts:
        latest = max(latest, since + longest_stop)
    return replace(forming, since=since, deadline=min(forming.deadline, latest))
