"""What a player's process has used."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spent:
    """Until one moment.

    Args:
        cpu: seconds of this process. requests: sent. read, written: bytes, with TLS.
    """

    cpu: float
    requests: int
    read: int
    written: int

    @classmethod
    def now(cls, requests: int) -> "Spent":
        """Of this process, which has sent so many requests."""
        counted: dict[str, int] = {}
        for line in Path("/proc/self/io").read_text().splitlines():
            name, _, number = line.partition(":")
            counted[name] = int(number)
        return cls(time.process_time(), requests, counted["rchar"], counted["wchar"])

    def until(self, later: "Spent") -> dict[str, float]:
        """What was used from this moment to a later one, by name."""
        after = asdict(later)
        return {name: after[name] - before for name, before in asdict(self).items()}
