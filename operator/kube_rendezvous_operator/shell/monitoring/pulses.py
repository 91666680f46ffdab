"""Whether the loops of this process go round: for the liveness probe, which has a stuck process started again."""

import threading
import time


class Pulses:
    """Each loop says when it begins something; one that was then silent for too long is stuck. Thread-safe.

    Args:
        limit: seconds. Longer than the longest request with its time-outs; every write of a long reconcile is a beat.
    """

    def __init__(self, limit: float = 60.0) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._beats: dict[str, float] = {}

    def beat(self, name: str) -> None:
        """This loop has just begun its next piece of work."""
        with self._lock:
            self._beats[name] = time.monotonic()

    def end(self, name: str) -> None:
        """This loop has nothing to do, or has ended on purpose."""
        with self._lock:
            self._beats.pop(name, None)

    def stuck(self) -> list[str]:
        """The loops that do not go on, each as a sentence."""
        with self._lock:
            now = time.monotonic()
            silences = {name: now - beat for name, beat in self._beats.items()}
        return [
            f"{name} has done nothing for {silence:.0f} s"
            for name, silence in sorted(silences.items())
            if silence > self._limit
        ]
