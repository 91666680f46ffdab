"""Which of the waits that are seen, again and again, will not end: no clock, no I/O."""

from collections.abc import Collection


class WaitsInVain:
    """Of one round that is over, from when its connections were cut.

    A process that was frozen or starved meanwhile has looked seldom, and its time does not count.

    Args:
        seconds: how long a wait must have been seen.
        looks: how often.
    """

    def __init__(self, seconds: float, looks: int) -> None:
        self._seconds = seconds
        self._looks = looks
        self._seen: dict[str, tuple[float, int]] = {}

    def __bool__(self) -> bool:
        """Whether some wait is suspected."""
        return bool(self._seen)

    def see(self, waits: Collection[str], now: float) -> bool:
        """Whether one of them is in vain. `now`: seconds; see `Engine.waiting`."""
        seen = {wait: self._seen.get(wait, (now, 0)) for wait in waits}
        self._seen = {wait: (since, looks + 1) for wait, (since, looks) in seen.items()}
        return any(now - since >= self._seconds and looks >= self._looks for since, looks in self._seen.values())

    def see_old_ones(self, waits: Collection[str], now: float) -> bool:
        """As `see`, where another round stands already: waits that were not there before are its own."""
        return self.see([wait for wait in waits if wait in self._seen], now)
