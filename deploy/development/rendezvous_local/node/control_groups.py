"""The control groups (cgroups) in which the kubelet keeps the pods."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
NAME = "kubepods"
SECONDS = 10.0


def pod_groups(cgroups: Path = CGROUPS) -> list[Path]:
    """The groups above all pods: one in version 2, one for each controller in version 1."""
    return [path for path in (cgroups / NAME, *sorted(cgroups.glob(f"*/{NAME}"))) if path.is_dir()]


def processes_in(groups: Iterable[Path]) -> set[int]:
    """Numbers of all processes in ``groups`` and below."""
    found: set[int] = set()
    for group in groups:
        for file in group.rglob("cgroup.procs"):
            try:
                found.update(int(line) for line in file.read_text().split())
            except OSError:  # the group went away while we looked
                continue
    return found - {0}


def remove_pod_groups(cgroups: Path = CGROUPS, seconds: float = SECONDS) -> list[str]:
    """Kills every process in the pods' groups and removes the groups.

    Returns:
        What could not be removed within ``seconds``, with the reason.
    """
    deadline = time.monotonic() + seconds
    while True:
        groups = pod_groups(cgroups)
        for number in processes_in(groups):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        left = [problem for group in groups for problem in _remove(group)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _remove(group: Path) -> list[str]:
    problems = []
    # Only the folders: the files in them are the kernel's and go with them. Deepest first.
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"control group {folder}: {error.strerror}")
    return problems
