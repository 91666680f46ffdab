"""Which changes of a status may wait.

Design section 5: each status write goes to every member, so progress alone (who has arrived so far) is written at most
once a second, and more rarely to more than some hundred: it costs each that it is sent to about a millisecond of CPU,
and the API server some tens of microseconds each, while both are busy with joins.
"""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from kube_rendezvous.resources import Condition, Forming, RendezvousStatus

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


def _without_progress(status: RendezvousStatus) -> tuple[object, ...]:
    forming = status.forming
    return _REST(status), _FORMING(forming) if forming else None, [*map(_CONDITION, status.conditions)]


def _all_but(of: type[Any], *left_out: str) -> Callable[[Any], tuple[object, ...]]:
    return attrgetter(*(part.name for part in fields(of) if part.name not in left_out))


_REST = _all_but(RendezvousStatus, "standby", "spares", "forming", "conditions")
_FORMING = _all_but(Forming, "arrived", "waiting_for", "message")
_CONDITION = _all_but(Condition, "message")
