"""A signal whose handler raises, as those of torch's launcher do."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SignalError(ValueError):
    """As torch's SignalException, which is an `Exception`, and no less common a one."""


@contextmanager
def raising_signal() -> Iterator[None]:
    """Within the block `signal.raise_signal(signal.SIGUSR1)` raises `SignalError` in the main thread."""

    def handle(number: int, frame: object) -> None:
        raise SignalError(number)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def interrupting() -> Iterator[Callable[[Callable[[], object]], bool]]:
    """Calls until a signal comes, in less than a millisecond; returns whether one did before the call had ended."""
    expected = False

    def handle(number: int, frame: object) -> None:
        nonlocal expected
        if expected:
            expected = False
            raise SignalError(number)

    def call(what: Callable[[], object]) -> bool:
        nonlocal expected
        try:
            expected = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00002, 0.0002))
            what()
            expected = False
        except SignalError:
            return True
        return False

    before = signal.signal(signal.SIGALRM, handle)
    yield call
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def again_and_again(what: Callable[[], object]) -> Callable[[], object]:
    """Calls it for ever."""

    def go_on() -> None:
        while True:
            what()

    return go_on
