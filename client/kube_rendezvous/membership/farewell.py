"""The goodbye of a handler that ends without `shutdown`: nobody holds it any more, or its process ends.

It leaves and does not close: torchrun does so on SIGTERM, after which the others are to go on. torch's own handlers
merely fall silent then, and are missed after their heartbeats' time limit.
"""

import atexit
import functools
import logging
import os
import queue
import threading
import time
import weakref

from kube_rendezvous.cluster import ApiFailureError
from kube_rendezvous.membership.session import Session

_log = logging.getLogger(__name__)

_SECONDS = 1.0


class Farewell:
    """Says it once, whichever end comes first, unless it is cancelled.

    A thread waits for the end from the beginning on: the garbage collector tells it from anywhere, also from within the
    start of another thread or a lock that a request needs. So whoever is told may start nothing and wait for nothing.

    Args:
        handler: whose end it is; must not be reachable from the session.
        session: which leaves and is stopped.
    """

    def __init__(self, handler: object, session: Session) -> None:
        ended: queue.SimpleQueue[bool] = queue.SimpleQueue()  # its `put` is the one that may be called from anywhere
        self._once = _Once(session)
        atexit.register(self._once.leave)
        self._finalizer = weakref.finalize(handler, ended.put, True)
        self._finalizer.atexit = False  # at exit it is said there and then
        self._cancel = functools.partial(ended.put, False)
        threading.Thread(target=_wait, args=(ended, self._once), name="rendezvous-farewell", daemon=True).start()

    def cancel(self) -> None:
        """The handler was shut down."""
        self._finalizer.detach()
        atexit.unregister(self._once.leave)
        self._cancel()


def _wait(ended: "queue.SimpleQueue[bool]", once: "_Once") -> None:
    if ended.get():
        once.leave()
        atexit.unregister(once.leave)


class _Once:
    """The goodbye, by whichever thread comes first; the other one waits until it is said."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session
        self._process = os.getpid()
        self._saying = threading.Lock()

    def leave(self) -> None:
        if os.getpid() != self._process:
            return  # a forked child does not speak for its parent
        with self._saying:
            session, self._session = self._session, None
            if session is not None:
                _leave(session)


def _leave(session: Session) -> None:
    try:
        if session.me.name and not session.me.expelled:
            session.say_goodbye(close_reason=None, leaving=True, deadline=time.monotonic() + _SECONDS)
    except ApiFailureError as failure:
        _log.debug("Could not say that we leave: %s", failure)
    finally:
        session.stop()
