"""Calls that may hang, because the other end is silent, and must not hold the caller longer than its round lasts."""

import atexit
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.errors import RoundOverError

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_LOOK_SECONDS = 0.02
_MOMENT_SECONDS = 0.1
_AGAIN_SECONDS = 0.2
_SAY_SECONDS = 1.0
_FAREWELL_SECONDS = 35.0
"""Longer than torch's client may be on its way, see `kube_rendezvous.tcp_store.LONGEST_CONNECT_SECONDS`. To a host that
takes connections and says nothing it may be on its way for ever: but not when they are ended."""

_abandoned: "WeakKeyDictionary[threading.Thread, Callable[[], None]]" = WeakKeyDictionary()
"""Threads that wait in a call that nobody wants any more, and what lets each come back soon."""


@atexit.register
def _let_them_end() -> None:
    """A thread that comes back from C++ while Python ends ends the process with an abort (Python before 3.14)."""
    began, said = time.monotonic(), False
    while waiting := [(thread, let_go) for thread, let_go in list(_abandoned.items()) if thread.is_alive()]:
        waited = time.monotonic() - began
        if waited >= _FAREWELL_SECONDS:
            return
        if waited >= _SAY_SECONDS and not said:
            said = True
            _log.info("this process ends as soon as torch has given up the way to a round's store that is gone")
        for let_go in {let_go for _, let_go in waiting}:
            let_go()  # again and again: torch's client connects once more
        waiting[0][0].join(_AGAIN_SECONDS)


def unless_given_up(
    call: Callable[[], Answer],
    given_up: Callable[[], bool],
    let_go: Callable[[], None] = lambda: None,
    moment: float = _MOMENT_SECONDS,
) -> Answer:
    """Make the call in a thread of its own. When the round is over it still has a moment; then it is left to itself.

    Nothing of torch's store can be interrupted: it waits for a host that has stopped until the kernel gives the
    connection up. The thread that is left ends then, or when the host goes on, or with the process, which waits for it.

    Args:
        call: whatever may hang.
        given_up: asked while waiting.
        let_go: called when the process ends and the call still hangs, until it does not: lets it fail. Calls with the
            same one are let go together.
        moment: seconds.

    Raises:
        RoundOverError: `given_up` became true, and there is no answer.
        Exception: what the call raises.
    """
    answers: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def make() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    thread = threading.Thread(target=make, name="rendezvous-store", daemon=True)
    try:
        thread.start()
        answer, error = _first(answers, given_up, moment)
    except BaseException:  # Ctrl-C, too
        _abandoned[thread] = let_go
        raise
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


def _first(
    answers: "queue.SimpleQueue[tuple[Answer | None, BaseException | None]]",
    given_up: Callable[[], bool],
    moment: float,
) -> tuple[Answer | None, BaseException | None]:
    over_since = math.inf
    while True:
        # Before the look: who did not get a turn for so long looks once more.
        has_had_its_moment = time.monotonic() - over_since >= moment
        try:
            return answers.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if has_had_its_moment:
                raise RoundOverError("the round is over, and its store is silent") from None
            if over_since == math.inf and given_up():
                over_since = time.monotonic()


class AbandonableStore:
    """A store of torch, no call of which outlasts its round. For `cast(Store, …)`: it has all that the store has.

    Args:
        store: any of torch's.
        given_up, let_go, moment: see `unless_given_up`.
    """

    def __init__(
        self,
        store: Any,
        given_up: Callable[[], bool],
        let_go: Callable[[], None] = lambda: None,
        moment: float = _MOMENT_SECONDS,
    ) -> None:
        self._store = store
        self._given_up = given_up
        self._let_go = let_go
        self._moment = moment

    def patient(self, seconds: float) -> Store:
        """The same store, which gets so long in all when the round is over: after that each call as long as any."""
        return cast(Store, AbandonableStore(self._store, self._given_up, self._let_go, seconds))

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        if not callable(attribute):
            return attribute

        def unless_silent(*arguments: Any) -> Any:
            try:
                return unless_given_up(lambda: attribute(*arguments), self._given_up, self._let_go, self._moment)
            except RoundOverError:
                self._moment = _MOMENT_SECONDS
                raise

        return unless_silent
