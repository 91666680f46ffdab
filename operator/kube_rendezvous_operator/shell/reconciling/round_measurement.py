"""Reads from the status writes what became of each round, and how soon survivors were told of a loss."""

import time
from collections.abc import Callable

from kube_rendezvous.resources import RendezvousStatus
from kube_rendezvous_core.conditions import STALLED, newly_true
from kube_rendezvous_core.formation.formation import GROWTH
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements
from kube_rendezvous_operator.shell.watching.member_cache import Key

FORMED, CLOSED, HAS_STALLED = "formed", "closed", "stalled"


class RoundMeasurement:
    """One Rendezvous is handled by one thread at a time, so that only the dictionary is shared.

    Args:
        measure: where the figures go.
        asked_at: when the wake-up that is being handled was due (for an event: when it was received), on the monotonic
            clock; None: not known.
    """

    def __init__(self, measure: Measurements, asked_at: Callable[[Key], float | None]) -> None:
        self._measure = measure
        self._asked_at = asked_at
        self._loss_heard: dict[Key, float] = {}

    def decided(self, key: Key, before: RendezvousStatus, after: RendezvousStatus) -> None:
        """Something was decided; writing it may yet fail and be tried again: the first time counts."""
        if _tells_of_a_loss(before, after):
            asked = self._asked_at(key)
            self._loss_heard.setdefault(key, time.monotonic() if asked is None else asked)
        else:
            self._loss_heard.pop(key, None)

    def written(self, key: Key, before: RendezvousStatus, after: RendezvousStatus) -> None:
        """The status write succeeded."""
        heard = self._loss_heard.pop(key, None)
        if heard is not None:
            self._measure.told(max(0.0, time.monotonic() - heard))
        if after.round > before.round:
            self._measure.round_ended(FORMED)
            self._measure.round_formed(after.history[0].forming_seconds)
        elif before.forming is not None and after.closed is not None and before.closed is None:
            self._measure.round_ended(CLOSED)
        if newly_true(STALLED, before.conditions, after.conditions) is not None:
            self._measure.round_ended(HAS_STALLED)

    def forget(self, key: Key) -> None:
        """The Rendezvous is gone."""
        self._loss_heard.pop(key, None)


def _tells_of_a_loss(before: RendezvousStatus, after: RendezvousStatus) -> bool:
    if after.forming is None or not after.forming.interrupts or after.forming.reason == GROWTH or not before.ranks:
        return False
    return before.forming is None or not before.forming.interrupts
