"""Which changes of a status may wait.

Design section 5: each status write goes to every member, so progress alone (who has arrived so far) is written at most
once a second, and more rarely to more than some hundred: it costs each that it is sent to about a millisecond of CPU,
and the API server some tens of microseconds each, while both are busy with joins.
"""

from dataclasses import replace

from kube_rendezvous.resources import RendezvousStatus

_SHORTEST_SECONDS = 1.0
_LONGEST_SECONDS = 15.0
"""Whoever waits beside ten thousand still sees that it goes on."""

_TOLD_IN_A_SECOND = 250


def progress_every(after: RendezvousStatus) -> float:
    """Seconds that must be between a write and one that tells of nothing but progress, to those who are there."""
    told = max(len(after.ranks), after.forming.arrived if after.forming else 0)
    return min(max(_SHORTEST_SECONDS, told / _TOLD_IN_A_SECOND), _LONGEST_SECONDS)


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
