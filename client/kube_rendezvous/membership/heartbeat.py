"""The thread that renews a Member, so that the operator knows that this node lives."""

import logging
import random
import time
from collections.abc import Callable

from kube_rendezvous.cluster import ApiFailureError, Backoff, KeptThread
from kube_rendezvous.signal_proof import Flag

_log = logging.getLogger(__name__)


_SLOWEST_RENEWAL = 30.0
"""Seconds that a renewal may take beside its time limit: the connection, a name that is looked up."""


class Heartbeat:
    """Renews again and again until it is stopped.

    Args:
        name: of the thread.
        interval: seconds between two heartbeats, asked anew each time: the operator publishes it.
        renew: sends one heartbeat, and says so if it fails; its argument is the time limit for the answer, seconds. A
            failed one is tried again soon, at the latest after one interval.
    """

    def __init__(self, name: str, interval: Callable[[], float], renew: Callable[[float], None]) -> None:
        self._name = name
        self._interval = interval
        self._renew = renew
        self._stop = Flag()
        self._woken = Flag()
        self._hurry = Flag()
        self._thread = KeptThread(name, self._run)

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if not self._thread.started and not self._stop.is_set():
            self._thread.start()

    def stop(self) -> None:
        """End the thread, two seconds at the most. Safe to call twice."""
        self._stop.set()
        self._woken.set()
        self._thread.end()
        self._thread.join(2.0)

    def at_once(self) -> None:
        """Send the next heartbeat now: somebody asks for it, or there is something to say with it."""
        self._hurry.set()
        self._woken.set()

    def interval_is_shorter(self) -> None:
        """Let the pause under way end within the new interval: what it was drawn from may be another Rendezvous's."""
        self._woken.set()

    def is_well(self) -> bool:
        """Whether the thread does its work."""
        return not self.complaint

    @property
    def complaint(self) -> str:
        """What is wrong with the thread, as a sentence; "" if nothing is."""
        return self._thread.complaint

    def _run(self) -> None:
        backoff = Backoff(first=0.5)
        pause = self._interval()
        while not self._is_over_after(pause):
            interval = self._interval()
            self._thread.turn(within=_SLOWEST_RENEWAL + 2 * interval)
            began = time.monotonic()
            try:
                self._renew(max(1.0, interval))
                backoff.reset()
                pause = self._pause()
            except ApiFailureError as failure:
                pause = min(interval, backoff.next_delay(failure.retry_after, spent=time.monotonic() - began))
            except Exception:  # a thread that died here would let the node be taken for lost
                _log.exception("%s met something unexpected; it goes on", self._name)
                pause = min(interval, backoff.next_delay())

    def _pause(self) -> float:
        """Never later than the interval, and spread: members that started together must not beat together."""
        return self._interval() * random.uniform(0.8, 1.0)

    def _is_over_after(self, pause: float) -> bool:
        due = time.monotonic() + pause
        while self._woken.wait(max(0.0, due - time.monotonic())) and not self._stop.is_set():
            self._woken.clear()
            if self._hurry.is_set():
                self._hurry.clear()
                break
            due = min(due, time.monotonic() + self._pause())
        return self._stop.is_set()
