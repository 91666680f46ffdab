"""The processes of a container, as this machine's kernel shows them: only where the pods run on this machine."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")


@dataclass(frozen=True)
class ProcessSeen:
    """A process of a container, which no other one equals.

    Args:
        pid: on this machine.
        inside: its number in the container, which it says of itself.
        started: when, in clock ticks of this machine.
    """

    pid: int
    inside: int
    started: int


def processes_of(container_id: str) -> list[int]:
    """Process ids on this machine of everything that runs in the container, in the order of their start."""
    return sorted(pid for pid in _all_processes() if container_id in _read(pid, "cgroup"))


def that_run(script: str, container_id: str) -> frozenset[ProcessSeen]:
    """The processes ``python SCRIPT …`` of a container."""
    found = set()
    for pid in processes_of(container_id):
        status, stat = _read(pid, "status"), _read(pid, "stat")
        if _read(pid, "cmdline").split("\0")[1:2] == [script] and status and stat:
            inside = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]
            found.add(ProcessSeen(pid, int(inside), int(stat.rpartition(")")[2].split()[19])))
    return frozenset(found)


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


def freeze(container_id: str) -> None:
    """Stop everything in the container, as a node that hangs: its connections stay, and nothing answers."""
    for pid in processes_of(container_id):
        os.kill(pid, signal.SIGSTOP)


def thaw(container_id: str) -> None:
    """Let it go on."""
    for pid in processes_of(container_id):
        os.kill(pid, signal.SIGCONT)


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
