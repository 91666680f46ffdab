"""Which changes of a status may wait.

Design section 5: each status write goes to every member, so progress alone (who has arrived so far) is written at most
once a second.
"""

from dataclasses import replace

from kube_rendezvous.resources import RendezvousStatus

PROGRESS_EVERY_SECONDS = 1.0


def only_progress(before: RendezvousStatus, after: RendezvousStatus) -> bool:
    """Whether nothing but counts and the sentences that contain them differs."""
    return _without_progress(before) == _without_progress(after)


def _without_progress(status: RendezvousStatus) -> RendezvousStatus:
    forming = status.forming
    return replace(
        status,
        standby=0,
        spares=(),
        forming=replace(forming, arrived=0, waiting_for=(), message="") if forming else None,
        conditions=tuple(replace(condition, message="") for condition in status.conditions),
    )
