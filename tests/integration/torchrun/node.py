"""One node of a job: a stock torchrun agent with one worker, as a process that can die in every way."""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.processes import ChildProcess

TORCHRUN = Path(sys.executable).with_name("torchrun")
# What a pod would know of itself: the node is to find none of that here but its name.
OF_PODS = frozenset({"POD_UID", "POD_IP", "NODE_NAME", "JOB_COMPLETION_INDEX", "KUBERNETES_SERVICE_HOST"})


@dataclass(frozen=True)
class WorkerStart:
    """How a worker was started, in its own words. ``master``: MASTER_ADDR:MASTER_PORT. ``at``: seconds, wall clock."""

    node: str
    rank: int
    world_size: int
    master: str
    restarts: int
    pid: int
    at: float


class Node:
    """A torchrun agent in a session of its own, which does not outlive the tests.

    Args:
        name: Becomes the start of its Member's name; a number at its end is its slot.
        arguments: Of torchrun.
        worker: The script that it runs.
        folder: For its log and for what its worker writes.
        environment: Variables to add to ours.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], worker: Path, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._folder = folder
        self._starts = folder / f"{name}.starts"
        self.process = ChildProcess(
            name,
            [str(TORCHRUN), *arguments, str(worker), str(folder), name],
            log=folder / f"{name}.log",
            environment={key: value for key, value in os.environ.items() if key not in OF_PODS}
            # torchrun makes a folder that a killed agent leaves behind: it is to go with the test's.
            | {"POD_NAME": name, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
            | dict(environment),
        )

    def start(self) -> None:
        """Starts the agent."""
        self.process.start()

    def kill(self) -> None:
        """The node dies without a word: SIGKILL for the agent and its worker."""
        self.process.kill()
        start = self.newest_start
        if start is not None:
            # torchrun gives each worker a process group of its own; one that has written nothing yet ends by itself.
            with suppress(ProcessLookupError):
                os.killpg(start.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """The node is asked to go, as the kubelet does it: SIGTERM for the agent alone."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGTERM)

    def fail_worker(self) -> None:
        """Makes the worker end with exit status 1, once."""
        (self._folder / f"{self.name}.fail").touch()

    def exit_status(self, seconds: float) -> int:
        """Waits for the end of the agent.

        Raises:
            AssertionError: It did not end within ``seconds``.
        """
        assert self.process.wait(seconds), f"{self.name} did not end within {seconds:.0f} s"
        assert self.process.exit_code is not None
        return self.process.exit_code

    @property
    def running(self) -> bool:
        """Whether the agent runs, and the worker that was started last."""
        start = self.newest_start
        if not self.process.running or start is None:
            return False
        try:
            os.kill(start.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def starts(self) -> list[WorkerStart]:
        """How its worker was started, each time, oldest first."""
        return [WorkerStart(**json.loads(line)) for line in self._lines(self._starts)]

    @property
    def newest_start(self) -> WorkerStart | None:
        """How its worker was started last; None before that."""
        starts = self.starts
        return starts[-1] if starts else None

    @property
    def sums(self) -> list[int]:
        """What a summing worker has computed, each change of it."""
        return [int(line) for line in self._lines(self._folder / f"{self.name}.sums")]

    @property
    def log(self) -> str:
        """The agent's and the worker's output."""
        assert self.process.log is not None
        return self.process.log.read_text(errors="replace")

    @staticmethod
    def _lines(file: Path) -> list[str]:
        """The whole lines of a file that somebody else appends to."""
        try:
            return [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        except FileNotFoundError:
            return []
