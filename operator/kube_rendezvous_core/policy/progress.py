"""Which changes of a status may wait.

Design section 5: each status write goes to every member, so progress alone (who has arrived so far) is written at most
once a second, and more rarely to more than a thousand: each that it is sent to costs the API server some tens of
microseconds, while it is busy with joins.
"""

from dataclasses import replace

from kube_rendezvous.resources import RendezvousStatus

_SHORTEST_SECONDS = 1.0
_TOLD_IN_A_SECOND = 1000


def progress_every(after: RendezvousStatus) -> float:
    """Seconds that must be between a write and one that tells of nothing but progress, to those who are there."""
    told = max(len(after.ranks), after.forming.arrived if after.forming else 0)
    return max(_SHORTEST_SECONDS, told / _TOLD_IN_A_SECOND)


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
