"""Waiting for a condition, with a limit, instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

POLL_SECONDS = 0.02


def eventually(ask: Callable[[], Answer], what: str, seconds: float = 60.0) -> Answer:
    """Ask until the answer is true, and return it.

    Args:
        ask: what is asked every 20 ms.
        what: what is waited for, for the error.
        seconds: how long at most.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what} (the last answer was {answer!r})")
        time.sleep(POLL_SECONDS)
