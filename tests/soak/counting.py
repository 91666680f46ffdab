"""What this process and the operator hold, read from the system."""

import contextlib
import ctypes
import gc
import os
import threading
import time
from pathlib import Path

from soak.judgements import Sample

SAMPLE_EVERY_SECONDS = 1.0
MOST_SAMPLES = 3000
"""What watches for growth must not grow itself."""


def thread_names() -> list[str]:
    """The threads of this process."""
    return sorted(thread.name for thread in threading.enumerate())


def socket_names() -> list[str]:
    """The open sockets of this process, by the system's own numbers."""
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:  # the one that lists the folder
            continue
        if target.startswith("socket:"):
            names.append(target)
    return sorted(names)


def resident_mib(pid: int) -> float | None:
    """Resident memory of a process; None: it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return int(line.split()[1]) / 1024 if line is not None else None


def own_resident_mib() -> float:
    """Resident memory of this process, without what its allocator keeps although nobody uses it.

    glibc's has eight heaps a core, and keeps of each the most that threads have ever had there at one moment: half of
    what it held was free, and one of 16 members grew by a tenth in the second hour without anything that was not freed.
    """
    gc.collect()
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    return resident_mib(os.getpid()) or 0.0


def descriptor_count() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


class MemoryLog:
    """Samples of the operator's memory, one a second at the most, and fewer the longer it goes on.

    Attributes:
        samples: oldest first, with the newest.
        most: the largest of all, MiB.
    """

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.most = 0.0
        self._born: dict[int, float] = {}

    def look(self, pid: int | None) -> None:
        """Take a sample, unless one was taken within the last second."""
        now = time.monotonic()
        if pid is None:
            return
        born = self._born.setdefault(pid, now)
        newest = self.samples[-1] if self.samples else None
        if newest is not None and newest.pid == pid and now - born - newest.age < SAMPLE_EVERY_SECONDS:
            return
        mib = resident_mib(pid)
        if mib is not None:
            self.samples.append(Sample(pid, now - born, mib))
            self.most = max(self.most, mib)
        if len(self.samples) > MOST_SAMPLES:
            self.samples = self.samples[1::2] if len(self.samples) % 2 == 0 else self.samples[::2]
