"""Time as a test has it."""

from dataclasses import dataclass


@dataclass
class Clock:
    """What `time.monotonic` says, seconds."""

    now: float = 1000.0
