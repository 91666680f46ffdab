"""Mounts below a folder: found in /proc, and taken away."""

import re
from pathlib import Path

from rendezvous_local.node.machine_commands import run_quietly

MOUNTS = Path("/proc/self/mounts")
ROUNDS = 5  # mounts can lie on top of each other


def mounts_below(folder: Path, table: str) -> list[Path]:
    """Mount points below ``folder`` (or it itself), the deepest first.

    Args:
        folder: An absolute path.
        table: Text of ``/proc/self/mounts``.
    """
    points = [Path(_unescape(line.split(" ")[1])) for line in table.splitlines() if line.count(" ") >= 2]
    below = [point for point in points if point == folder or folder in point.parents]
    return sorted(below, key=lambda point: len(point.parts), reverse=True)


def unmount_below(folder: Path) -> list[str]:
    """Unmounts everything below ``folder``; says what is still there."""
    left: list[Path] = []
    for _ in range(ROUNDS):
        left = mounts_below(folder, MOUNTS.read_text())
        if not left:
            return []
        for point in left:
            # Lazily: a process that is dying just now must not hold it.
            run_quietly(["umount", "--lazy", str(point)])
    return [f"mount {point}" for point in mounts_below(folder, MOUNTS.read_text())]


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)
