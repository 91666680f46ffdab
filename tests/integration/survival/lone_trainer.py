"""A node whose only process is a trainer that survives, as a process that can die in every way."""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from integration.command.wrapped_node import clean_environment
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from rendezvous_local.processes import ChildProcess

TRAINERS = Path(__file__).parent / "trainers"
SECONDS = 90.0
"""Generous: a newcomer imports torch beside processes that train."""


class LoneTrainer:
    """One trainer process, which takes part in a rendezvous by itself.

    Args:
        run: the Rendezvous.
        number: of the node: its slot, and the end of its name.
        trainer: the name of the script; gets ``FOLDER NAME`` and `arguments`.
        folder: for its log and its lines.
        environment: variables to add to ours.
    """

    def __init__(
        self,
        run: Run,
        number: int,
        trainer: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._run = run
        self._slot = str(number)
        self.name = f"node-{number}"
        self._lines = folder / f"{self.name}.lines"
        of_node = {
            "POD_NAME": self.name,
            "RUN": run.name,
            "RUN_NAMESPACE": run.namespace,
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        }
        self.process = ChildProcess(
            self.name,
            [sys.executable, str(TRAINERS / trainer), str(folder), self.name, *arguments],
            log=folder / f"{self.name}.log",
            environment=clean_environment() | of_node | dict(environment),
        )
        self.process.start()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All that it has written, oldest first."""
        if not self._lines.exists():
            return []
        text = self._lines.read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def did(self, what: str, round: int = 0) -> list[dict[str, Any]]:
        """The lines of this kind, of one round or of all."""
        return [line for line in self.lines if line["did"] == what and round in (0, line.get("round"))]

    @property
    def newest_step(self) -> dict[str, Any]:
        """The last one; {} before the first."""
        return (self.did("step") or [{}])[-1]

    @property
    def log(self) -> str:
        """What it printed."""
        assert self.process.log is not None
        return self.process.log.read_text(errors="replace")

    def kill(self) -> None:
        """The node dies, and its pod's end tells."""
        member = self._member()
        self.process.send(signal.SIGKILL)
        self._run.delete_member(member)

    def freeze(self) -> None:
        """The node falls silent with its connections open, and its pod is deleted."""
        member = self._member()
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        self._run.delete_member(member)

    def exit_status(self) -> int:
        """Wait for its end."""
        assert self.process.wait(SECONDS), f"{self.name} did not end:\n{self.log[-3000:]}"
        assert self.process.exit_code is not None
        return self.process.exit_code

    def _member(self) -> str:
        member = self._run.member_in(self._slot)
        assert member is not None
        return member.name


def until_they_step(nodes: Sequence[LoneTrainer], after: int = 0) -> int:
    """Wait until all of these, and nobody else, do steps in one round newer than ``after``; return its number."""

    def round_of_all() -> int:
        newest = [node.newest_step for node in nodes]
        rounds = {step.get("round", 0) for step in newest}
        sizes = {step.get("world", 0) for step in newest}
        return rounds.pop() if len(rounds) == 1 and min(rounds) > after and sizes == {len(nodes)} else 0

    return _with_logs(round_of_all, f"{len(nodes)} step together after round {after}", nodes)


def _with_logs(ask: Callable[[], int], what: str, nodes: Sequence[LoneTrainer]) -> int:
    try:
        return eventually(ask, what, SECONDS)
    except AssertionError as error:
        error.add_note("\n".join(f"--- {node.name}\n{node.log[-2000:]}" for node in nodes))
        raise
