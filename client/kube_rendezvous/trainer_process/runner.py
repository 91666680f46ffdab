"""Does what `lifecycle` decides: one loop in the main thread, fed by signals, the rendezvous and the trainer's end."""

import logging
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence

from kube_rendezvous.api import RendezvousError, RendezvousGracefulExitError
from kube_rendezvous.exit_statuses import INTERNAL, exit_status_of
from kube_rendezvous.participation import Participation
from kube_rendezvous.round_environment import environment_of
from kube_rendezvous.standing_round import StandingRound
from kube_rendezvous.trainer_process.lifecycle import (
    Action,
    End,
    Event,
    Exit,
    GraceOver,
    Join,
    Kill,
    Leave,
    NoRound,
    Policy,
    RoundFormed,
    Say,
    Signalled,
    Start,
    State,
    Told,
    TrainerEnded,
    step,
)
from kube_rendezvous.trainer_process.process import TrainerProcess

_log = logging.getLogger(__name__)

SOCKET_VARIABLE = "RENDEZVOUS_SOCKET_FD"


class Runner:
    """Runs a command in every round.

    Args:
        participation: in the rendezvous.
        command: program and arguments.
        environment: what the command gets beside the variables of its round.
        policy: see there.
        grace: seconds between the request to end and SIGKILL.
        inherit_socket: rank 0 gets the announced socket itself, its descriptor in RENDEZVOUS_SOCKET_FD, instead of a
            free port.
    """

    def __init__(
        self,
        participation: Participation,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        policy: Policy,
        grace: float,
        inherit_socket: bool = False,
    ) -> None:
        self._participation = participation
        self._command = list(command)
        self._environment = dict(environment)
        self._policy = policy
        self._grace = grace
        self._inherit_socket = inherit_socket
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._process: TrainerProcess | None = None
        self._grace_over: float | None = None
        self._status: int | None = None

    def signalled(self, number: int) -> None:
        """Somebody asks us to end. From any thread."""
        self._events.put(Signalled(number))

    def run(self) -> int:
        """Run until there is an exit status. Call it from the main thread."""
        state = State()
        try:
            self._do(Join())
            while self._status is None:
                event = self._next_event()
                if isinstance(event, TrainerEnded):
                    self._process = self._grace_over = None
                state, actions = step(state, event, self._policy)
                for action in actions:
                    self._do(action)
        finally:
            if self._process is not None:
                self._process.kill()
        return self._status

    def _next_event(self) -> Event:
        if self._grace_over is None:
            return self._events.get()
        try:
            return self._events.get(timeout=max(0.0, self._grace_over - time.monotonic()))
        except queue.Empty:
            self._grace_over = None
            return GraceOver()

    def _do(self, action: Action) -> None:
        match action:
            case Say(text):
                _log.info("%s", text)
            case Join():
                threading.Thread(target=self._take_part, name="rendezvous", daemon=True).start()
            case Start(standing):
                self._start(standing)
            case End(number):
                self._grace_over = time.monotonic() + self._grace
                self._send(number)
            case Kill():
                _log.warning(
                    "the trainer has not ended within %.0f s, or is not to be waited for: SIGKILL", self._grace
                )
                if self._process is not None:
                    self._process.kill()
            case Leave(close):
                if close:
                    self._participation.finish()
                else:
                    self._participation.leave()
            case Exit(status):
                self._status = status

    def _send(self, number: int) -> None:
        if self._process is not None:
            self._process.send(number)

    def _start(self, standing: StandingRound) -> None:
        environment = {**self._environment, **environment_of(standing)}
        environment.pop(SOCKET_VARIABLE, None)
        listening = self._participation.take_socket() if self._inherit_socket else None
        keep_open = []
        if listening is not None:
            keep_open = [listening.fileno()]
            environment[SOCKET_VARIABLE] = str(listening.fileno())
        try:
            # As late as can be: until here nobody else can have taken the port.
            self._participation.release_port()
            self._process = TrainerProcess(self._command, environment, keep_open)
        finally:
            if listening is not None:
                listening.close()
        _log.info(
            "round %d: rank %d of %d, %s is process %d",
            standing.number,
            standing.rank,
            standing.world_size,
            os.path.basename(self._command[0]),
            self._process.pid,
        )
        threading.Thread(target=self._await, args=(self._process,), name="trainer", daemon=True).start()

    def _await(self, process: TrainerProcess) -> None:
        self._events.put(TrainerEnded(process.wait()))

    def _take_part(self) -> None:
        try:
            self._events.put(RoundFormed(self._participation.next_round()))
            told = self._participation.wait_for_interruption()
        except RendezvousGracefulExitError as error:
            self._events.put(NoRound(0, str(error)))
        except RendezvousError as error:
            self._events.put(NoRound(exit_status_of(error), str(error)))
        except Exception as error:
            _log.exception("the rendezvous failed in a way that nobody has thought of")
            self._events.put(NoRound(INTERNAL, f"{type(error).__name__}: {error}"))
        else:
            if told is not None:
                self._events.put(Told(told))
