"""Does what `lifecycle` decides: one loop in the main thread, fed by signals, the rendezvous and the workers."""

import logging
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kube_rendezvous.api import RendezvousClosedError, RendezvousError, RendezvousGracefulExitError
from kube_rendezvous.exit_statuses import INTERNAL, exit_status_of
from kube_rendezvous.keeping.happenings import (
    Action,
    Asked,
    EndAll,
    Event,
    Exit,
    GiveRound,
    GraceOver,
    Join,
    KillAll,
    KillWorker,
    Leave,
    LimitOver,
    NoRound,
    Remind,
    RoundFormed,
    SaidDone,
    SaidStuck,
    Say,
    Signalled,
    Spawn,
    StartLimit,
    StepAside,
    StillGathering,
    TellNoMore,
    TellOver,
    Told,
    TookRound,
    WorkerEnded,
)
from kube_rendezvous.keeping.jax_service import JaxService
from kube_rendezvous.keeping.lifecycle import Policy, first_step, step
from kube_rendezvous.keeping.worker import WorkerProcess
from kube_rendezvous.participation import Participation
from kube_rendezvous.standing_round import StandingRound
from kube_rendezvous.survival.launcher_wire import Ask, Done, FromLauncher, FromWorker, Give, NoMore, Over, Stuck, Took
from kube_rendezvous.survival.worker_place import WorkerPlace
from kube_rendezvous.survival.xla_flags import VARIABLE as XLA_FLAGS
from kube_rendezvous.survival.xla_flags import with_separate_all_reduces

_log = logging.getLogger(__name__)

_REMIND_SECONDS = 60.0


class Runner:
    """Runs a node's workers through all rounds.

    Args:
        participation: in the rendezvous.
        command: program and arguments of each worker.
        environment: what all of them get beside the variables of their place.
        workers: how many.
        policy: see there.
        grace: seconds between the request to end and SIGKILL.
        take_in_limit: seconds for taking a formed round in, before a worker is started again.
    """

    def __init__(
        self,
        participation: Participation,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        workers: int,
        policy: Policy,
        grace: float,
        take_in_limit: float,
    ) -> None:
        self._participation = participation
        self._command = list(command)
        self._environment = dict(environment)
        self._count = workers
        self._policy = policy
        self._grace = grace
        self._take_in_limit = take_in_limit
        # Beside an event: the process that it comes from, so that an old one's last words do not count for the new one.
        self._events: queue.SimpleQueue[tuple[Event | _AskedForJax, WorkerProcess | None]] = queue.SimpleQueue()
        self._workers: dict[int, WorkerProcess] = {}
        self._starts: dict[int, int] = {}
        self._deadlines: dict[Event, float] = {}
        self._status: int | None = None
        self._jax: JaxService | None = None

    def signalled(self, number: int) -> None:
        """Somebody asks us to end. From any thread."""
        self._events.put((Signalled(number), None))

    def run(self) -> int:
        """Run until there is an exit status. Call it from the main thread."""
        state, actions = first_step(self._count)
        try:
            self._do_all(actions)
            while self._status is None:
                event = self._next_event()
                if isinstance(event, WorkerEnded):
                    del self._workers[event.local_rank]
                state, actions = step(state, event, self._policy)
                self._do_all(actions)
        finally:
            for worker in self._workers.values():
                worker.kill()
            if self._jax is not None:
                self._jax.close()
        return self._status

    def _next_event(self) -> Event:
        while True:
            due = min(self._deadlines, key=self._deadlines.__getitem__, default=None)
            wait = None if due is None else max(0.0, self._deadlines[due] - time.monotonic())
            try:
                event, process = self._events.get(timeout=wait)
            except queue.Empty:
                assert due is not None
                del self._deadlines[due]
                return due
            if process is not None and process not in self._workers.values():
                continue
            if isinstance(event, _AskedForJax):
                self._jax = self._jax or JaxService(self._participation, self._count)
                event = event.asked
            return event

    def _do_all(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Say(text):
                _log.info("%s", text)
            case Spawn(local_rank):
                self._spawn(local_rank)
            case GiveRound(local_rank, standing):
                self._give(local_rank, standing)
            case TellOver(why):
                self._tell_all(Over(why))
            case TellNoMore(message, closed):
                self._tell_all(NoMore(message, closed))
            case Join():
                threading.Thread(target=self._take_part, name="rendezvous", daemon=True).start()
            case StepAside():
                self._participation.step_aside()
            case StartLimit(number):
                self._deadlines[LimitOver(number)] = time.monotonic() + self._take_in_limit
            case Remind():
                self._deadlines[StillGathering()] = time.monotonic() + _REMIND_SECONDS
            case KillWorker(local_rank):
                if local_rank in self._workers:
                    self._workers[local_rank].kill()
            case EndAll(number):
                self._deadlines = {GraceOver(): time.monotonic() + self._grace}
                for worker in self._workers.values():
                    if number:
                        worker.send_signal(number)
            case KillAll():
                _log.warning("the workers have not ended within %.0f s, or are not to be waited for", self._grace)
                for worker in self._workers.values():
                    worker.kill()
            case Leave(close):
                if close:
                    self._participation.finish()
                else:
                    self._participation.leave()
            case Exit(status):
                self._status = status

    def _tell_all(self, message: FromLauncher) -> None:
        for worker in self._workers.values():
            worker.tell(message)

    def _spawn(self, local_rank: int) -> None:
        starts = self._starts[local_rank] = self._starts.get(local_rank, -1) + 1

        worker = WorkerProcess(self._command, self._variables(local_rank, starts))
        self._workers[local_rank] = worker
        worker.listen(
            lambda message: self._events.put((_event_of(local_rank, message), worker)),
            lambda status: self._events.put((WorkerEnded(local_rank, status), worker)),
        )
        _log.info("worker %d: %s is process %d", local_rank, os.path.basename(self._command[0]), worker.pid)

    def _variables(self, local_rank: int, starts: int) -> dict[str, str]:
        """torchrun's variables, as far as no round changes them; the worker sets the others when it takes one in."""
        own = {
            "LOCAL_RANK": str(local_rank),
            "LOCAL_WORLD_SIZE": str(self._count),
            "TORCHELASTIC_RUN_ID": self._participation.name,
            "TORCHELASTIC_MAX_RESTARTS": str(self._policy.max_restarts),
            "TORCHELASTIC_RESTART_COUNT": str(starts),
            "RENDEZVOUS_NAME": self._participation.name,
            "RENDEZVOUS_NAMESPACE": self._participation.namespace,
            # Of no effect where XLA is not used.
            XLA_FLAGS: with_separate_all_reduces(self._environment.get(XLA_FLAGS, "")),
        }
        if self._count > 1:  # as torchrun: else each worker would take all cores
            own["OMP_NUM_THREADS"] = self._environment.get("OMP_NUM_THREADS", "1")
        return self._environment | own

    def _give(self, local_rank: int, standing: StandingRound) -> None:
        coordinator = self._jax.address(standing) if self._jax is not None else ""
        place = WorkerPlace.of(standing, local_rank, self._count, coordinator)
        listening = self._participation.take_socket() if place.serves_store else None
        try:
            self._workers[local_rank].tell(Give(place, listening))
        finally:
            if listening is not None:
                listening.close()

    def _take_part(self) -> None:
        try:
            self._put(RoundFormed(self._participation.next_round()))
            told = self._participation.wait_for_interruption()
        except RendezvousGracefulExitError as error:
            self._put(NoRound(0, str(error), closed=False))
        except RendezvousError as error:
            self._put(NoRound(exit_status_of(error), str(error), isinstance(error, RendezvousClosedError)))
        except Exception as error:
            _log.exception("the rendezvous failed in a way that nobody has thought of")
            self._put(NoRound(INTERNAL, f"{type(error).__name__}: {error}", closed=False))
        else:
            if told is not None:
                self._put(Told(told))

    def _put(self, event: Event) -> None:
        self._events.put((event, None))


@dataclass(frozen=True, slots=True)
class _AskedForJax:
    """The same question, of a worker that needs JAX's coordination service with the round."""

    asked: Asked


def _event_of(local_rank: int, message: FromWorker) -> Event | _AskedForJax:
    match message:
        case Ask(after, "jax"):
            return _AskedForJax(Asked(local_rank, after))
        case Ask(after, _):
            return Asked(local_rank, after)
        case Took(number):
            return TookRound(local_rank, number)
        case Done():
            return SaidDone(local_rank)
        case Stuck(number):
            return SaidStuck(local_rank, number)
