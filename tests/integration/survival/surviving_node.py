"""A node with `kube-rendezvous run --keep-survivors` and the trainer that survives."""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from integration.command.wrapped_node import WrappedNode, is_alive
from integration.handlers.eventually import eventually
from integration.survival.traces import Line, Trace

TRAINER = (sys.executable, str(Path(__file__).parent / "trainers" / "ddp_trainer.py"))


class Worker:
    """One place for a worker: its processes may come and go.

    Args:
        folder: into which the trainer writes.
        node: name of the node.
        local_rank: on the node.
        trace: of the processes that had this place before, and what is forgotten of them; None for a new place.
    """

    def __init__(self, folder: Path, node: str, local_rank: int = 0, trace: Trace | None = None) -> None:
        self.name = f"{node}.{local_rank}"
        self.log = folder / f"{node}.log"
        self._folder = folder
        self.trace = trace or Trace(folder / f"{self.name}.steps")

    @property
    def pid(self) -> int:
        """Of the present process; 0 before the first."""
        return self.trace.newest.pid

    @property
    def newest_step(self) -> Line:
        """The step that was done last; one of no round before the first."""
        steps = (line for line in reversed(self.trace.lines) if line.did == "step")
        return next(steps, Line(0.0, 0, "step", 0))

    @property
    def end(self) -> Line:
        """What it wrote when its work was done."""
        line = self.trace.newest
        assert line.did == "end", f"{self.name} did not come to its end: {line}"
        return line

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return is_alive(self.pid)

    def send(self, number: int) -> None:
        """Send a signal to its process alone; one that has ended, or has not begun, misses it."""
        with contextlib.suppress(ProcessLookupError):
            if self.pid:  # 0 would be all of us
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL for its process alone."""
        self.send(signal.SIGKILL)

    def raises(self) -> None:
        """It raises an error of its own in its next step."""
        (self._folder / f"{self.name}.raises").touch()

    def hangs(self) -> None:
        """It stops in the midst of the next large tensor that it receives; see `LargeSend`."""
        (self._folder / f"{self.name}.hangs").touch()

    @property
    def hangs_now(self) -> bool:
        """Whether it has come to where it hangs."""
        stopped = "T"
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == stopped

    def gets(self, number: signal.Signals, moment: str) -> None:
        """It gets a signal at a moment of the next round: ``worker.gets(SIGKILL, "before exchange_rosters")``."""
        part = self._folder / f"{self.name}.part"
        part.write_text(f"{number.name} {moment}")
        part.rename(self._moment)

    @property
    def moment_has_come(self) -> bool:
        """Whether it got the signal that `gets` has announced."""
        return not self._moment.exists()

    @property
    def _moment(self) -> Path:
        return self._folder / f"{self.name}.moment"


class SurvivingNode(WrappedNode):
    """One launcher and its workers.

    Args:
        name: of the node.
        folder: for logs and for what trainers write.
        environment: says which cluster and which Rendezvous.
        trainer: the command that starts `ddp_trainer`, without its options.
        workers: how many.
        options: of `kube-rendezvous run`.
        trainer_options: of `ddp_trainer`.
        successor_of: the node that had this name before.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        trainer: Sequence[str] = TRAINER,
        workers: int = 2,
        options: Sequence[str] = (),
        trainer_options: Sequence[str] = (),
        successor_of: "SurvivingNode | None" = None,
    ) -> None:
        traces = [worker.trace for worker in successor_of.workers] if successor_of else [None] * workers
        self.workers = [Worker(folder, name, local_rank, trace) for local_rank, trace in enumerate(traces)]
        command = [*trainer, str(folder), name, *trainer_options]
        super().__init__(
            name,
            ["run", "--keep-survivors", f"--nproc-per-node={workers}", *options, "--", *command],
            folder,
            {"GLOO_SOCKET_IFNAME": "lo"} | environment,
        )

    def kill_all(self) -> None:
        """SIGKILL for the launcher and all workers, as when a machine is lost."""
        self.process.send(signal.SIGKILL)
        for worker in self.workers:
            worker.kill()
        assert self.process.wait(30.0)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the launcher and to each worker: SIGSTOP is a machine that hangs."""
        self.process.send(number)
        for worker in self.workers:
            worker.send(number)


def workers_of(nodes: Sequence[SurvivingNode]) -> list[Worker]:
    """All of them, node by node."""
    return [worker for node in nodes for worker in node.workers]


def until_they_step(workers: Sequence[Worker], world: int, after: int = 0, seconds: float = 60.0) -> int:
    """Wait until all have done steps in one round of this world size, newer than ``after``.

    Returns:
        Its number.
    """

    def round_of_all() -> int:
        newest = [worker.newest_step for worker in workers]
        rounds = {line.round for line in newest}
        return (
            rounds.pop()
            if len(rounds) == 1 and min(rounds) > after and {line.world for line in newest} == {world}
            else 0
        )

    seen = {worker.name: worker.newest_step for worker in workers}
    try:
        return eventually(round_of_all, f"steps in a round of {world} workers after round {after}", seconds)
    except AssertionError as error:
        for worker in workers:
            error.add_note(f"{worker.name}: before {seen[worker.name]}, now {worker.trace.newest}")
        for log in sorted({worker.log for worker in workers}):
            error.add_note(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
