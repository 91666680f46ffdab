"""The thread that renews a Member, so that the operator knows that this node lives."""

import logging
import random
import threading
from collections.abc import Callable

from kube_rendezvous.cluster import ApiFailureError, Backoff

_log = logging.getLogger(__name__)


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
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread, two seconds at the most. Safe to call twice."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _run(self) -> None:
        backoff = Backoff(first=0.5)
        pause = self._interval()
        while not self._stop.wait(pause):
            interval = self._interval()
            try:
                self._renew(max(1.0, interval))
                backoff.reset()
                # Never later than the interval, and spread: members that started together must not beat together.
                pause = interval * random.uniform(0.8, 1.0)
            except ApiFailureError as failure:
                pause = min(interval, backoff.next_delay(failure.retry_after))
            except Exception:  # a thread that died here would let the node be taken for lost
                _log.exception("%s met something unexpected; it goes on", self._name)
                pause = min(interval, backoff.next_delay())
