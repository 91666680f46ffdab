"""The processes of a container, as this machine's kernel shows them: only where the pods run on this machine."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")


def processes_of(container_id: str) -> list[int]:
    """Process ids on this machine of everything that runs in the container, in the order of their start."""
    return sorted(pid for pid in _all_processes() if container_id in _read(pid, "cgroup"))


def main_process(container_id: str) -> int:
    """The one that is process 1 inside.

    Raises:
        AssertionError: no process runs in the container.
    """
    for pid in processes_of(container_id):
        inside = next(line for line in _read(pid, "status").splitlines() if line.startswith("NSpid:"))
        if inside.split()[-1] == "1":
            return pid
    raise AssertionError(f"no process runs in container {container_id}: does it run on this machine?")


def kill(container_id: str) -> None:
    """As the out-of-memory killer does it: no warning, no goodbye."""
    os.kill(main_process(container_id), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    state = next((line for line in _read(pid, "status").splitlines() if line.startswith("State:")), "State: X")
    return state.split()[1] not in ("Z", "X")


def wait_for_end(pid: int, seconds: float) -> float:
    """Wait until it has ended; return when that was, by `time.monotonic`.

    Raises:
        AssertionError: it runs on.
    """
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs after {seconds:.0f} s"
        time.sleep(0.005)
    return time.monotonic()


def resident_megabytes(container_id: str) -> float:
    """Memory that the processes of the container hold."""
    total = 0
    for pid in processes_of(container_id):
        for line in _read(pid, "status").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def _all_processes() -> Iterator[int]:
    for entry in PROCESSES.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _read(pid: int, file: str) -> str:
    try:
        return (PROCESSES / str(pid) / file).read_text()
    except OSError:  # it has ended meanwhile
        return ""
