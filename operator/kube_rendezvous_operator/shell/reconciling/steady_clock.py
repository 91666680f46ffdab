"""The time that rounds are counted by: durations belong to the monotonic clock, however the wall clock is set.

Moments in a status are wall-clock time, because another operator goes on from them. Within one process a wall clock
that jumps would make a last call last an hour, or throw out a member that has just been told to stop.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_CATCHES_UP = 0.05
"""So much of the time that passes it may come nearer to the wall clock, as clocks are slewed."""


class SteadyClock:
    """Begins at the wall clock, goes with the monotonic one, and comes nearer to the wall clock slowly. Thread-safe.

    Args:
        wall: what the wall clock says, UTC.
        monotonic: what the monotonic clock says, seconds.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = lambda: time.monotonic(),
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._now, self._at = wall(), monotonic()

    def now(self) -> datetime:
        """The time, UTC. Never goes back."""
        with self._lock:
            wall, at = self._wall(), self._monotonic()
            passed = max(0.0, at - self._at)
            expected = self._now + timedelta(seconds=passed)
            behind = (wall - expected).total_seconds()
            slewed = passed * _CATCHES_UP
            self._now = expected + timedelta(seconds=max(-slewed, min(slewed, behind)))
            self._at = at
            return self._now
