"""The lines that every worker of `train_digits.py`, or of its surviving sibling, appends to one file, step by step."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Endpoint = tuple[str, int]
"""MASTER_ADDR and MASTER_PORT, which differ from round to round."""


@dataclass(frozen=True)
class Step:
    """One training step of one worker.

    Attributes:
        at: When its optimizer had stepped: seconds since 1970.
        rank, world_size: Of the worker.
        epoch, step: From 0; `steps` is how many steps an epoch has.
        loss: Of its samples.
        restarts: How often torchrun had restarted it.
        master: Where its round's workers met.
        pid: Of its process.
    """

    at: float
    rank: int
    world_size: int
    epoch: int
    step: int
    steps: int
    loss: float
    restarts: int
    master: Endpoint
    pid: int

    @property
    def ends_epoch(self) -> bool:
        return self.step == self.steps - 1

    @property
    def position(self) -> int:
        """How many steps come before it."""
        return self.epoch * self.steps + self.step


def parse_step(line: str) -> Step:
    """Read one line.

    Raises:
        KeyError, ValueError: It is none of ours.
    """
    content = json.loads(line)
    return Step(
        at=float(content["time"]),
        rank=int(content["rank"]),
        world_size=int(content["worldSize"]),
        epoch=int(content["epoch"]),
        step=int(content["step"]),
        steps=int(content["steps"]),
        loss=float(content["loss"]),
        restarts=int(content["restarts"]),
        master=(str(content["masterAddr"]), int(content["masterPort"])),
        pid=int(content["pid"]),
    )


def epochs_done(steps: Iterable[Step], master: Endpoint) -> int:
    """How many epochs rank 0 finished in the round whose workers meet at `master`."""
    return sum(1 for step in steps if step.master == master and step.rank == 0 and step.ends_epoch)


class TrainingLog:
    """Follows the file as it grows.

    Args:
        file: May not exist yet.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_bytes = 0
        self.steps: list[Step] = []

    def follow(self) -> None:
        """Takes the lines that were added since the last call. A line that is still being written is left for later."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._read_bytes)
            added = stream.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        self.steps.extend(parse_step(line) for line in whole.decode().splitlines())
