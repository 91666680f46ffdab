"""The goodbye of a handler that ends without `shutdown`: nobody holds it any more, or its process ends.

It leaves and does not close: torchrun does so on SIGTERM, after which the others are to go on. torch's own handlers
merely fall silent then, and are missed after their heartbeats' time limit.
"""

import _thread
import atexit
import contextlib
import logging
import os
import threading
import time
import weakref

from kube_rendezvous.cluster import ApiFailureError
from kube_rendezvous.membership.session import Session

_log = logging.getLogger(__name__)

_SECONDS = 1.0


class Farewell:
    """Says it once, whichever end comes first, unless it is cancelled.

    Args:
        handler: whose end it is; must not be reachable from the session.
        session: which leaves and is stopped.
    """

    def __init__(self, handler: object, session: Session) -> None:
        self._once = _Once(session)
        atexit.register(self._once.leave)
        self._finalizer = weakref.finalize(handler, _leave_beside, self._once)
        self._finalizer.atexit = False  # at exit it is said there and then: no thread can be started any more

    def cancel(self) -> None:
        """The handler was shut down."""
        self._finalizer.detach()
        atexit.unregister(self._once.leave)


def _leave_beside(once: "_Once") -> None:
    """Leave in a thread of its own: the garbage collector calls us from anywhere, also from within a lock that a
    request needs, or that the start of a `threading.Thread` needs and waits for. What Python's are made of does not."""
    with contextlib.suppress(RuntimeError):  # none can be had, or the interpreter is ending: it is said there
        _thread.start_new_thread(_start, (once,))


def _start(once: "_Once") -> None:
    """In a thread that `threading` knows, with a name; a process that ends meanwhile says it itself, or waits."""
    threading.Thread(target=_say, args=(once,), name="rendezvous-farewell", daemon=True).start()


def _say(once: "_Once") -> None:
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
        if session.outlook.me.name and not session.outlook.me.expelled:
            session.say_goodbye(close_reason=None, leaving=True, deadline=time.monotonic() + _SECONDS)
        session.withdraw(tried=True, present=True)
    except ApiFailureError as failure:
        _log.debug("Could not say that we leave: %s", failure)
    finally:
        session.stop()
