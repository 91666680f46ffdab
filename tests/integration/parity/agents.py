"""Elastic agents, each in a process of its own that has torch imported already, as torch's own tests run them."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

# Its children start without the threads of the test process, and without importing torch again.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch.distributed.launcher.api", "torch.distributed.rpc"])

AGENT_SECONDS = 90.0


class Outcome(NamedTuple):
    """How an agent ended: what its workers returned by global rank, and the name of the error ("": none)."""

    returned: Mapping[int, Any]
    error: str
    trace: str = ""


@dataclass(frozen=True)
class Launch:
    """What one agent is asked to run.

    Attributes:
        namespace, run_id: Of the Rendezvous.
        entry, args: What each worker calls.
        conf: `--rdzv-conf`.
        environment: Changes for the agent's process.
    """

    namespace: str
    run_id: str
    entry: Callable[..., Any]
    args: Sequence[Any] = ()
    nodes: tuple[int, int] = (1, 1)
    nproc: int = 1
    role: str = "trainer"
    max_restarts: int = 0
    local_addr: str | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


class Agent:
    """One agent that runs until its workers are done, or until it is killed."""

    def __init__(self, launch: Launch) -> None:
        self._ours, theirs = FORKS.Pipe(duplex=False)
        self.process: BaseProcess = FORKS.Process(target=_launch, args=(launch, theirs))
        self.process.start()
        theirs.close()

    def outcome(self) -> Outcome:
        """Wait until it has ended."""
        assert self._ours.poll(AGENT_SECONDS), f"the agent has not ended after {AGENT_SECONDS:.0f} s"
        outcome: Outcome = self._ours.recv()
        self.process.join(AGENT_SECONDS)
        return outcome

    def kill(self) -> None:
        """SIGKILL, as a node that goes without a word; its workers go with it."""
        self.process.kill()
        self.process.join(AGENT_SECONDS)


def _launch(launch: Launch, result: Pipe) -> None:
    os.environ.update(launch.environment)
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=launch.nodes[0],
        max_nodes=launch.nodes[1],
        nproc_per_node=launch.nproc,
        run_id=launch.run_id,
        role=launch.role,
        rdzv_backend="kubernetes",
        rdzv_endpoint=launch.namespace,
        rdzv_configs={"last_call_timeout": "1", "join_timeout": "60", **launch.conf},
        max_restarts=launch.max_restarts,
        monitor_interval=0.1,
        start_method="fork",
        local_addr=launch.local_addr,
    )
    try:
        returned = elastic_launch(config, launch.entry)(*launch.args)
        result.send(Outcome(returned or {}, ""))
    except Exception as error:
        result.send(Outcome({}, type(error).__name__, traceback.format_exc()))
