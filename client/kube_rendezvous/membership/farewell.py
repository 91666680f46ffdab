"""The goodbye of a handler that ends without `shutdown`: nobody holds it any more, or its process ends.

It leaves and does not close: torchrun does so on SIGTERM, after which the others are to go on. torch's own handlers
merely fall silent then, and are missed after their heartbeats' time limit.
"""

import atexit
import functools
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
        self._at_exit = functools.partial(_leave, session, os.getpid())
        atexit.register(self._at_exit)
        self._finalizer = weakref.finalize(handler, _leave_beside, self._at_exit)
        self._finalizer.atexit = False  # at exit it is said there and then: no thread can be started any more

    def cancel(self) -> None:
        """The handler was shut down."""
        self._finalizer.detach()
        atexit.unregister(self._at_exit)


def _leave_beside(leave: functools.partial[None]) -> None:
    """Leave in a thread of its own: the garbage collector calls us from anywhere, also from within a lock that a
    request needs. The process waits for that thread before it ends."""
    atexit.unregister(leave)
    try:
        threading.Thread(target=leave, name="rendezvous-farewell", daemon=False).start()
    except RuntimeError:  # the interpreter is ending
        leave()


def _leave(session: Session, process: int) -> None:
    if os.getpid() != process:
        return  # a forked child does not speak for its parent
    try:
        if session.me.name and not session.me.expelled:
            session.say_goodbye(close_reason=None, leaving=True, deadline=time.monotonic() + _SECONDS)
    except ApiFailureError as failure:
        _log.debug("Could not say that we leave: %s", failure)
    finally:
        session.stop()
