"""A signal whose handler raises, as those of torch's launcher do."""

import signal
from collections.abc import Iterator
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
