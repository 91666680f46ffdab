"""A monotonic clock that stands still until the test moves it."""

import time
from dataclasses import dataclass

import pytest


@dataclass
class Clock:
    """What `time.monotonic` says, seconds."""

    now: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock
