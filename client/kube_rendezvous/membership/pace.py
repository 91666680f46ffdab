"""How fast a node may act: at once while its acts lead somewhere, once a second when they do not.

Whatever a node does (create, join, join again) changes where it stands, so that each act is followed by waiting. Where
something undoes it at once, or its effect is never seen, the node must not hurry: N nodes would do so at once. No clock
here, no threads.
"""

from dataclasses import dataclass, field

_AT_ONCE = 3.0
"""Create, join, join again: a node that meets no trouble needs no more for one round."""

_EACH_SECOND = 1.0


@dataclass(slots=True)
class Pace:
    """Three acts at once, then one a second; time without acts gives them back."""

    _left: float = field(default=_AT_ONCE, init=False)
    _seen: float = field(default=0.0, init=False)

    def pause(self, now: float) -> float:
        """Seconds until the next act may be; 0: now.

        Args:
            now: on a clock that never goes back, seconds.
        """
        self._left = min(_AT_ONCE, self._left + max(0.0, now - self._seen) * _EACH_SECOND)
        self._seen = now
        return max(0.0, 1.0 - self._left) / _EACH_SECOND

    def acts(self, now: float) -> None:
        """The node acts now."""
        self.pause(now)
        self._left -= 1.0
