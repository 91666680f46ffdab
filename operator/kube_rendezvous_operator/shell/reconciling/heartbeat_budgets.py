"""Counts for the core what one rendezvous cannot know: how many heartbeats the others leave, and since when."""

import threading
import time
from collections.abc import Callable, Mapping

from kube_rendezvous_core.liveness.heartbeat import HeartbeatBudget
from kube_rendezvous_core.liveness.heartbeat_shares import heartbeat_shares
from kube_rendezvous_operator.shell.watching.member_cache import Key

_COUNTED_EVERY_SECONDS = 1.0


class HeartbeatBudgets:
    """Of all rendezvous. Thread-safe.

    Args:
        counts: how many members each rendezvous has.
    """

    def __init__(self, counts: Callable[[], Mapping[Key, int]]) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        self._shares: dict[Key, float] = {}
        self._counted = -_COUNTED_EVERY_SECONDS
        self._since: dict[Key, tuple[int, float]] = {}

    def budget(self, key: Key, published_seconds: int) -> HeartbeatBudget:
        """What a rendezvous with this interval in its status may count with now."""
        with self._lock:
            now = time.monotonic()
            if now - self._counted >= _COUNTED_EVERY_SECONDS:
                self._shares, self._counted = heartbeat_shares(self._counts()), now
            seen, since = self._since.get(key, (None, now))
            if seen != published_seconds:
                since = now
                self._since[key] = (published_seconds, now)
            share = self._shares.get(key)
        return HeartbeatBudget(held_for=now - since) if share is None else HeartbeatBudget(share, now - since)

    def forget(self, key: Key) -> None:
        """This rendezvous is gone."""
        with self._lock:
            self._since.pop(key, None)
