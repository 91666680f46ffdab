"""The nodes that live on from schedule to schedule."""

import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path

from integration.command.wrapped_node import is_alive
from integration.handlers.runs import Run
from integration.survival.surviving_node import SurvivingNode, Worker, workers_of
from integration.survival.traces import Trace
from kube_rendezvous.cluster import ApiFailureError
from rendezvous_local.operator_process import OperatorProcess
from survivor_soak.plan import GUEST, NODES, WORKERS, Act, Blow

OPTIONS = ("--max-restarts=1000000", "--take-in-limit=6", "--grace=3")
TRAINER_OPTIONS = ("--step-seconds=0.008", "--summed-megabytes=2", "--news-timeout=5")


class World:
    """Three nodes with two workers each, and a guest.

    Args:
        folder: for logs and traces.
        run: their Rendezvous.
        operator: that watches it.
        where: variables that say which Rendezvous.
        trainer: the command that starts a trainer.
    """

    def __init__(
        self, folder: Path, run: Run, operator: OperatorProcess, where: Mapping[str, str], trainer: list[str]
    ) -> None:
        self._folder = folder
        self._run = run
        self._operator = operator
        self._where = where
        self._trainer = trainer
        self.nodes: dict[int, SurvivingNode] = {}
        self._newest: dict[int, SurvivingNode] = {}  # of each place, also when nobody is there now
        self.ends: list[str] = []
        for place in range(NODES):
            self._start(place)

    @property
    def workers(self) -> list[Worker]:
        """Of all nodes that are there."""
        return workers_of([self.nodes[place] for place in sorted(self.nodes)])

    @property
    def traces(self) -> list[Trace]:
        """Of all places, those of a guest that has left included: it has taken samples, too."""
        return [worker.trace for place in sorted(self._newest) for worker in self._newest[place].workers]

    def place_of(self, worker: Worker) -> tuple[int, int]:
        """Its node's place, and its local rank."""
        return next((place, node.workers.index(worker)) for place, node in self.nodes.items() if worker in node.workers)

    def strike(self, blow: Blow, spared: tuple[int, int]) -> None:
        """Do one thing."""
        node = self.nodes.get(blow.node)
        match blow.act:
            case Act.KILL_NODE if node is not None:
                node.kill_all()
            case Act.KILL_LAUNCHER if node is not None:
                node.process.kill()
            case Act.DELETE_GHOST | Act.DELETE_MEMBER:
                self._delete_member(blow.node)
            case Act.START_NODE:
                self._start(blow.node)
            case Act.END_NODE if node is not None:
                node.process.resume()
                node.process.send(signal.SIGTERM)
            case Act.KILL_WORKER if node is not None:
                node.workers[blow.worker].kill()
            case Act.KILL_FIRST_WORKER:
                self._kill_first(spared)
            case Act.KILL_ALL_WORKERS if node is not None:
                for worker in node.workers:
                    worker.kill()
            case Act.STOP_NODE if node is not None:
                node.signal_all(signal.SIGSTOP)
            case Act.CONTINUE_NODE if node is not None:
                node.signal_all(signal.SIGCONT)
            case Act.STOP_WORKER if node is not None:
                node.workers[blow.worker].send(signal.SIGSTOP)
            case Act.CONTINUE_WORKER if node is not None:
                node.workers[blow.worker].send(signal.SIGCONT)
            case Act.ADD_NODE:
                self._guest_comes_or_goes()
            case Act.KILL_OPERATOR:
                self._operator.crash()

    def start_those_that_have_ended(self) -> None:
        """As a Job does with its pods; what ended them is remembered."""
        for place, node in list(self.nodes.items()):
            if not node.process.running:
                self.ends.append(f"node {place} has ended with {node.process.exit_code}: {node.log[-300:]}")
                self._start(place)

    def end(self) -> None:
        """Everybody goes, at once."""
        for node in self.nodes.values():
            node.process.resume()
            node.process.kill()

    def forget(self) -> None:
        """Forget what all have done long ago."""
        step = min(worker.newest_step.step for worker in self.workers)
        for trace in self.traces:
            trace.forget_before(step)

    def leftovers(self) -> list[str]:
        """Processes that were replaced and live on."""
        return [
            f"process {pid} of worker {worker.name} was replaced and lives on"
            for worker in self.workers
            for pid in worker.trace.pids[:-1]
            if is_alive(pid)
        ]

    def _start(self, place: int) -> None:
        old = self._newest.get(place)
        if old is not None:
            old.process.resume()
            old.process.stop(5.0)
        self.nodes[place] = self._newest[place] = SurvivingNode(
            f"node-{place}",
            self._folder,
            self._where,
            trainer=self._trainer,
            workers=WORKERS,
            options=OPTIONS,
            trainer_options=TRAINER_OPTIONS,
            successor_of=old,
        )

    def _guest_comes_or_goes(self) -> None:
        guest = self.nodes.pop(GUEST, None)
        if guest is None:
            self._start(GUEST)
        else:
            guest.kill_all()
            self._delete_member(GUEST)

    def _kill_first(self, spared: tuple[int, int]) -> None:
        for worker in self.workers:
            if worker.newest_step.rank == 0 and self.place_of(worker) != spared:
                worker.kill()
                return

    def _delete_member(self, place: int) -> None:
        with contextlib.suppress(ApiFailureError):
            member = self._run.member_in(str(place))
            if member is not None:
                self._run.delete_member(member.name)
