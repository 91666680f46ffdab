"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def eventually(ask: Callable[[], Answer], what: str, seconds: float, every: float = 0.2) -> Answer:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: it was not true within that many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what} (the last answer was {answer!r})"
        time.sleep(every)
    return answer
