"""A node that runs `kube-rendezvous`, as a process that can die in every way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integration.handlers.eventually import eventually
from integration.torchrun.node import OF_PODS
from rendezvous_local.processes import ChildProcess

COMMAND = (sys.executable, "-m", "kube_rendezvous.command")
TRAINER = Path(__file__).parent / "trainers" / "recording_trainer.py"
END_SECONDS = 30.0


class WrappedNode:
    """One `kube-rendezvous` process.

    Args:
        name: of the node: the start of its Member's name.
        arguments: of `kube-rendezvous`.
        folder: for its log and for what its trainer writes.
        environment: variables to add to ours.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.process = ChildProcess(
            name,
            [*COMMAND, *arguments],
            log=folder / f"{name}.log",
            environment=clean_environment() | {"POD_NAME": name} | dict(environment),
        )
        self.process.start()

    def signal(self, number: int) -> None:
        """Send a signal to `kube-rendezvous` alone."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL for `kube-rendezvous` alone."""
        self.signal(signal.SIGKILL)
        assert self.process.wait(END_SECONDS)

    def exit_status(self, seconds: float = END_SECONDS) -> int:
        """Wait for its end."""
        assert self.process.wait(seconds), f"{self.name} did not end within {seconds:.0f} s:\n{self.log}"
        assert self.process.exit_code is not None
        return self.process.exit_code

    @property
    def starts(self) -> list[dict[str, Any]]:
        """How its trainer was started, each time, oldest first."""
        file = self.folder / f"{self.name}.starts"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    @property
    def newest(self) -> dict[str, Any]:
        """How its trainer was started last; {} before that."""
        return (self.starts or [{}])[-1]

    @property
    def log(self) -> str:
        """Its own output and its trainer's."""
        assert self.process.log is not None
        return self.process.log.read_text(errors="replace")


def clean_environment() -> dict[str, str]:
    """Ours, without what a pod would know of itself."""
    return {
        key: value
        for key, value in os.environ.items()
        if key not in OF_PODS and not key.startswith(("KUBE_RENDEZVOUS_", "JAX_"))
    }


def ask(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `kube-rendezvous` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def until_they_run(nodes: Sequence[WrappedNode], world_size: int, after: int = 0, seconds: float = 60.0) -> int:
    """Wait until the trainers of these nodes run in one round of this size, newer than ``after``; return its number."""

    def round_of_all() -> int:
        rounds = {int(node.newest.get("RENDEZVOUS_ROUND", 0)) for node in nodes}
        sizes = {int(node.newest.get("WORLD_SIZE", 0)) for node in nodes}
        return rounds.pop() if len(rounds) == 1 and min(rounds) > after and sizes == {world_size} else 0

    try:
        return eventually(round_of_all, f"trainers in a round of {world_size} after {after}", seconds)
    except AssertionError as error:
        error.add_note("\n".join(f"--- {node.name}\n{node.log[-2000:]}" for node in nodes))
        raise


def is_alive(pid: int) -> bool:
    """Whether this process runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
