"""How long and how much the attacks last: short in `make test`, at full length in `make attack`."""

import os
import threading
from collections.abc import Callable

FULL = os.environ.get("ATTACK") == "full"

FLOOD_SECONDS = 60.0 if FULL else 4.0
DEATHS = 10 if FULL else 3
HOSTILE_OBJECTS = 40_000 if FULL else 300
LARGE_OBJECTS = 60 if FULL else 20


class Flood:
    """Threads that do one thing again and again; how often they could is counted.

    Args:
        what: is done; may fail.
        threads: how many do it.
    """

    def __init__(self, what: Callable[[int], None], threads: int = 2) -> None:
        self._what, self._over = what, threading.Event()
        self._counts = [0] * threads
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def times(self) -> int:
        return sum(self._counts)

    def _run(self, which: int) -> None:
        number = which
        while not self._over.is_set():
            self._what(number)
            number += len(self._threads)
            self._counts[which] += 1
