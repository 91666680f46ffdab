"""What threads wait with, safe from signals whose handlers raise in the main thread, as torch's launcher's do.

Python looks for signals after calls, so that `threading.Condition`, and with it `threading.Event`, may stay locked for
good, or tell of a lock that it does not hold; a thread may never begin that counts as started. Between taking a lock
itself (no class in Python) in a `with` and the block that follows, Python lets nothing in; 3.14 alone does.

A handler runs only once the main thread is awake: a signal that another thread was given, or that came just before the
main thread went to sleep, does not wake it. So it never sleeps for long at a time.
"""

import _thread
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

MOST_ASLEEP_SECONDS = 0.5
"""How late the main thread, waiting, hears of a signal."""


class _Lock(_thread.RLock):  # type: ignore[misc]  # it may be inherited from
    """For Python 3.14, where a signal may come between taking a lock in a `with` and the block that follows.

    One that was taken then lets itself go again. Its end must stay what C makes of it: a method of ours could be
    interrupted, too.
    """

    def __enter__(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken: list[bool] = []
        try:
            taken.extend(map(self.acquire, (blocking,), (timeout,)))  # no moment between taking it and noting that
            return taken[0]
        except BaseException:
            if any(taken):
                self.release()
            raise


def new_lock() -> threading.RLock:
    """A reentrant lock, to be taken by `with`."""
    return _Lock() if sys.version_info[:2] == (3, 14) else threading.RLock()


class Changes:
    """In the place of a `threading.Condition`.

    Attributes:
        lock: guards what may change; reentrant.
    """

    def __init__(self) -> None:
        self.lock = new_lock()
        self._waiting: list[Any] = []

    def notify_all(self) -> None:
        """Something has changed. With the lock held."""
        while self._waiting:
            told = self._waiting[-1]
            if told.locked():  # or else whoever was interrupted here has told it
                told.release()
            self._waiting.pop()

    def wait_for(self, true: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until ``true``, which is called with the lock held, holds; so long at the most (None: for ever). Return
        whether it does. Without the lock."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        hears = threading.current_thread() is threading.main_thread()
        longest = MOST_ASLEEP_SECONDS if hears else threading.TIMEOUT_MAX
        while True:
            with self.lock:
                if true():
                    return True
                told = threading.Lock()
                told.acquire()
                self._waiting.append(told)
            # Also where no time is left: others get a turn.
            while not told.acquire(timeout=min(max(0.0, end - time.monotonic()), longest)):
                if time.monotonic() < end:
                    continue
                with self.lock:
                    if told in self._waiting:
                        self._waiting.remove(told)
                    return true()


class Flag:
    """In the place of a `threading.Event`."""

    def __init__(self) -> None:
        self._changes = Changes()
        self._set = False

    def is_set(self) -> bool:
        """Whether it is."""
        return self._set

    def set(self) -> None:
        """Let all waits end."""
        with self._changes.lock:
            self._set = True
            self._changes.notify_all()

    def clear(self) -> None:
        """Let later waits wait."""
        self._set = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, so long at the most; return whether it is."""
        return self._set or self._changes.wait_for(self.is_set, seconds)


def start_once(thread: threading.Thread, lock: Any) -> None:
    """Start it, unless it is started already. No signal's handler comes in between: another thread starts it.

    Args:
        thread: to be started.
        lock: of its own.

    Raises:
        RuntimeError: no thread can be had.
    """
    if threading.current_thread() is not threading.main_thread():
        _start(thread, lock)
        return
    failures: list[RuntimeError] = []
    done = _thread.allocate_lock()
    done.acquire()

    def beside() -> None:
        try:
            _start(thread, lock)
        except RuntimeError as error:
            failures.append(error)
        finally:
            done.release()

    _thread.start_new_thread(beside, ())
    done.acquire()
    if failures:
        raise failures[0]


def _start(thread: threading.Thread, lock: Any) -> None:
    with lock:
        if thread.ident is None:
            thread.start()
