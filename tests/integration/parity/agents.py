"""Elastic agents, each in a process of its own that has torch imported already, as torch's own tests run them."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

# Its children start without the threads of the test process, and without importing torch again.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch.distributed.run", "torch.distributed.launcher.api", "torch.distributed.rpc"])

AGENT_SECONDS = 90.0


class Outcome(NamedTuple):
    """How an agent ended.

    Attributes:
        returned: What its workers returned, by global rank.
        error: The name of the error that ended it; "": none. SystemExit with its status.
        trace: Of that error.
        state: Of its worker group at the end; "": unknown.
        restarts_left: Of `max_restarts`; -1: unknown.
        event: What it would record of its end.
    """

    returned: Mapping[int, Any] = {}
    error: str = ""
    trace: str = ""
    state: str = ""
    restarts_left: int = -1
    event: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Launch:
    """What one agent is asked to run.

    Attributes:
        namespace, run_id: Of the Rendezvous.
        entry, args: What each worker calls, or the program that it runs.
        nodes: `--nnodes`.
        conf: `--rdzv-conf`.
        exit_barrier_seconds: How long it waits for the others' workers; only an agent driven directly can be told.
        master: MASTER_ADDR and MASTER_PORT, whatever the rendezvous says; only for an agent driven directly.
        environment: Changes for the agent's process.
        drive: How it is run, see `drivers`; must be importable.
    """

    namespace: str
    run_id: str
    entry: Callable[..., Any] | str
    args: Sequence[Any]
    drive: Callable[["Launch"], Outcome]
    nodes: tuple[int, int] = (1, 1)
    nproc: int = 1
    role: str = "trainer"
    max_restarts: int = 0
    local_addr: str | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    exit_barrier_seconds: float = 60.0
    master: tuple[str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Agent:
    """One agent that runs until its workers are done, or until it is killed."""

    def __init__(self, launch: Launch) -> None:
        self._ours, theirs = FORKS.Pipe(duplex=False)
        self.process: BaseProcess = FORKS.Process(target=_launch, args=(launch, theirs))
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process id of the agent."""
        assert self.process.pid is not None
        return self.process.pid

    def outcome(self) -> Outcome:
        """Wait until it has ended."""
        assert self._ours.poll(AGENT_SECONDS), f"the agent has not ended after {AGENT_SECONDS:.0f} s"
        outcome: Outcome = self._ours.recv()
        self.process.join(AGENT_SECONDS)
        return outcome

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, as a node that goes without a word; its workers go with it."""
        self.process.kill()
        self.process.join(AGENT_SECONDS)


def returned(*agents: Agent) -> dict[int, Any]:
    """What all workers returned, by global rank; every agent must have ended well."""
    found: dict[int, Any] = {}
    for agent in agents:
        outcome = agent.outcome()
        assert not outcome.error, outcome.trace
        assert not set(found) & set(outcome.returned), "two workers have the same global rank"
        found.update(outcome.returned)
    return found


def _launch(launch: Launch, result: Pipe) -> None:
    os.environ.update(launch.environment)
    try:
        result.send(launch.drive(launch))
    except SystemExit as end:
        result.send(Outcome(error=f"SystemExit({end.code})", trace=traceback.format_exc()))
    except Exception as error:
        result.send(Outcome(error=type(error).__name__, trace=traceback.format_exc()))
