"""Calls that may hang, because the other end is silent, and must not hold the caller longer than its round lasts."""

import atexit
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

from kube_rendezvous.survival.errors import RoundOverError

Answer = TypeVar("Answer")

_LOOK_SECONDS = 0.02
_MOMENT_SECONDS = 0.1
_FAREWELL_SECONDS = 6.0

_abandoned: "WeakSet[threading.Thread]" = WeakSet()


@atexit.register
def _let_them_end() -> None:
    """A thread that comes back from C++ while Python ends would end the process with an abort. Most come back soon."""
    deadline = time.monotonic() + _FAREWELL_SECONDS
    for thread in list(_abandoned):
        thread.join(max(0.0, deadline - time.monotonic()))


def unless_given_up(call: Callable[[], Answer], given_up: Callable[[], bool]) -> Answer:
    """Make the call in a thread of its own. When the round is over it still has a moment; then it is left to itself.

    Nothing of torch's store can be interrupted: it waits for a host that has stopped until the kernel gives the
    connection up. The thread that is left ends then, or when the host goes on, or is killed.

    Args:
        call: whatever may hang.
        given_up: asked while waiting.

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
    thread.start()
    over_since: float | None = None
    while True:
        try:
            answer, error = answers.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if given_up():
                over_since = over_since or time.monotonic()
                if time.monotonic() - over_since >= _MOMENT_SECONDS:
                    _abandoned.add(thread)
                    raise RoundOverError("the round is over, and its store is silent") from None
            continue
        if error is not None:
            raise error
        return answer  # type: ignore[return-value]


class AbandonableStore:
    """A store of torch, no call of which outlasts its round. For `cast(Store, …)`: it has all that the store has.

    Args:
        store: any of torch's.
        given_up: see `unless_given_up`.
    """

    def __init__(self, store: Any, given_up: Callable[[], bool]) -> None:
        self._store = store
        self._given_up = given_up

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        if not callable(attribute):
            return attribute
        return lambda *arguments: unless_given_up(lambda: attribute(*arguments), self._given_up)
