"""A thread that has to go on until it is told to end: whatever its work raises, it begins again after a pause.

Whoever watches asks `complaint`: the operator for its liveness probe, a handler for its errors. A thread that is at
work says so with `turn`, and within which time it will say so again; one that does not keep to that is stuck.
"""

import logging
import threading
import time
from collections.abc import Callable

from kube_rendezvous.cluster.backoff import Backoff
from kube_rendezvous.printable_text import printable
from kube_rendezvous.signal_proof import Flag, new_lock, start_once

_log = logging.getLogger(__name__)

_LONGEST_PAUSE = 5.0
_ERROR_SHOWN = 200


class KeptThread:
    """Runs ``work`` again and again until that returns, which it does only when it was told to end.

    Args:
        name: of the thread, for people.
        work: goes on for ever; may raise anything.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self._work = work
        self._ending = Flag()
        self._lock = new_lock()
        self._failures = 0
        self._error = ""
        self._expected = 0.0
        self._turned = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin. Safe to call again."""
        start_once(self._thread, self._lock)

    @property
    def started(self) -> bool:
        """Whether it was started at all."""
        return self._thread.ident is not None

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def is_current(self) -> bool:
        """Whether the caller is this thread."""
        return threading.current_thread() is self._thread

    def end(self) -> None:
        """Begin no more; the work that goes on must be told by its owner. From any thread."""
        self._ending.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, so long at the most; not if it never began, and not for oneself."""
        if self.started and not self.is_current():
            self._thread.join(max(0.0, seconds))

    def turn(self, within: float = 0.0) -> None:
        """The work goes on.

        Args:
            within: seconds until the next call of this, at the most; 0: nobody knows, it waits for something to do.
        """
        with self._lock:
            self._failures, self._error = 0, ""
            self._turned = time.monotonic()
            self._expected = within

    @property
    def complaint(self) -> str:
        """What is wrong with it, as a sentence; "" if nothing is."""
        if not self.started or self._ending.is_set():
            return ""
        with self._lock:
            failures, error = self._failures, self._error
            silence = time.monotonic() - self._turned if self._expected else 0.0
            expected = self._expected
        if failures:
            times = "once" if failures == 1 else f"{failures} times in a row"
            return f"{self.name} has failed {times} and is started again: {error}"
        if not self.is_alive():
            return f"{self.name} has ended although nobody told it to"
        return f"{self.name} has done nothing for {silence:.0f} s" if silence > expected else ""

    def _run(self) -> None:
        backoff = Backoff(first=0.2, limit=_LONGEST_PAUSE)
        while True:
            try:
                self._work()
                self.end()
                return
            except BaseException as error:
                with self._lock:
                    if not self._failures:
                        backoff.reset()
                    self._failures += 1
                    self._error = printable(repr(error))[:_ERROR_SHOWN]
                    self._expected = 0.0
                pause = backoff.next_delay()
                if self._failures == 1:
                    _log.exception("%s met something unexpected and begins again in %.1f s", self.name, pause)
                else:
                    _log.error("%s failed again (%s) and begins again in %.1f s", self.name, self._error, pause)
            if self._ending.wait(pause):
                return
