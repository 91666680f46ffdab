"""Processes known by a mark in their environment, whoever their parent is and whichever session they are in."""

from pathlib import Path


def running(mark: str) -> list[int]:
    """Every process with the mark, ``NAME=value``; zombies are not counted: their environment is empty."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
