"""Which rendezvous to look at next: wake-ups are coalesced per key, and a key is never handled twice at once."""

import heapq
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_OVERTAKEN_KEPT = 64
"""How many entries that an earlier wake-up has overtaken may stay in the heap: without a bound each event leaves one
until the late wake-up is due, which may be hours away."""


_LONGEST_WAIT = 3600.0
"""Seconds after which a waiting thread looks at the clock again, however far off the next wake-up is."""


class WakeQueue(Generic[Key]):
    """A queue of keys with due times, in the manner of client-go's workqueue. Thread-safe.

    A key that is woken while it is being handled becomes due again when it is done. Of several wake-ups the earliest
    counts. Of the keys that are due, groups of them take turns: one group with very many waits, the others do not.

    Args:
        group: of a key; none: each is one of its own, and what is due first comes first.
        most_of_a_group: how many keys of one group may be handled at once; None: any number.
    """

    def __init__(self, group: Callable[[Key], Hashable] | None = None, most_of_a_group: int | None = None) -> None:
        self._group: Callable[[Key], Hashable] = group or (lambda key: key)
        self._most = most_of_a_group
        self._ready: OrderedDict[Hashable, OrderedDict[Key, None]] = OrderedDict()
        self._busy: Counter[Hashable] = Counter()
        self._changed = threading.Condition()
        self._due: dict[Key, float] = {}
        self._asked: dict[Key, float] = {}
        self._taken: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._handled: set[Key] = set()
        self._not_before: dict[Key, float] = {}
        self._sequence = 0
        self._closed = False

    def wake(self, key: Key, after: float = 0.0) -> None:
        """Make the key due in ``after`` seconds, or earlier if it already is."""
        with self._changed:
            due = time.monotonic() + after
            self._asked[key] = min(due, self._asked.get(key, due))
            self._plan(key, due)

    def take(self) -> Key | None:
        """Wait for the next due key; None when the queue is closed. Call `done` afterwards."""
        with self._changed:
            while not self._closed:
                key, pause = self._next()
                if key is not None:
                    self._handled.add(key)
                    self._busy[self._group(key)] += 1
                    self._taken[key] = self._asked.pop(key, time.monotonic())
                    return key
                self._changed.wait(pause if pause is None else min(pause, _LONGEST_WAIT))
            return None

    def done(self, key: Key, rest: float = 0.0) -> None:
        """The key was handled; do not hand it out again for ``rest`` seconds."""
        with self._changed:
            self._handled.discard(key)
            self._less_busy(self._group(key))
            self._taken.pop(key, None)
            self._forget_rests_that_are_over()
            self._not_before.pop(key, None)  # so that a new rest stands behind the others
            if rest > 0:
                self._not_before[key] = time.monotonic() + rest
            if key in self._due:
                self._push(key, max(self._due[key], self._not_before.get(key, 0.0)))
            self._changed.notify_all()

    def asked_at(self, key: Key) -> float | None:
        """When the key that is being handled was first to be due, rests left out, on the monotonic clock.

        None: it is not being handled.
        """
        with self._changed:
            return self._taken.get(key)

    def close(self) -> None:
        """Hand out nothing more and release those who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _less_busy(self, group: Hashable) -> None:
        self._busy[group] -= 1
        if self._busy[group] <= 0:
            del self._busy[group]

    def _plan(self, key: Key, due: float) -> None:
        due = max(due, self._not_before.get(key, 0.0))
        planned = self._due.get(key)
        if planned is not None and planned <= due:
            return
        self._due[key] = due
        if key not in self._handled:
            self._push(key, due)
            self._changed.notify()

    def _push(self, key: Key, due: float) -> None:
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        if len(self._heap) > 2 * len(self._due) + _OVERTAKEN_KEPT:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def _forget_rests_that_are_over(self) -> None:
        """A key whose object is gone is never taken again. About in the order in which they end: the first tells."""
        now = time.monotonic()
        while self._not_before and self._not_before[first := next(iter(self._not_before))] <= now:
            del self._not_before[first]

    def _next(self) -> tuple[Key | None, float | None]:
        """A due key, or how long until there may be one."""
        pause = self._sort_out_what_is_due()
        for group, keys in self._ready.items():
            if self._most is not None and self._busy[group] >= self._most:
                continue
            key, _ = keys.popitem(last=False)
            self._ready.move_to_end(group)
            if not keys:
                del self._ready[group]
            del self._due[key]
            self._not_before.pop(key, None)
            return key, None
        return None, pause

    def _sort_out_what_is_due(self) -> float | None:
        """Move it from the heap to its group; return how long until there will be more, None if nothing will be."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due and key not in self._handled:
                pause = due - time.monotonic()
                if pause > 0:
                    return pause
                self._ready.setdefault(self._group(key), OrderedDict())[key] = None
            # Otherwise overtaken by an earlier wake-up, or to be planned again by `done`.
            heapq.heappop(self._heap)
        return None
