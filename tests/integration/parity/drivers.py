"""The ways to run an agent: torch's launcher, its agent class itself, or the command line of torchrun."""

from pathlib import Path
from typing import Any

from torch.distributed.elastic.agent.server.api import WorkerSpec
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from integration.parity.agents import Launch, Outcome

BACKEND = "kubernetes"
CONF = {"last_call_timeout": "1", "join_timeout": "60"}
MONITOR_SECONDS = 0.1


def by_launcher(launch: Launch) -> Outcome:
    """As a program that calls `elastic_launch`."""
    return Outcome(elastic_launch(launch_config(launch), launch.entry)(*launch.args) or {})


def by_agent(launch: Launch) -> Outcome:
    """As torch's own tests of the agent: it, its handler and the handler's end are one's own business."""
    agent = local_agent(launch, handler_of(launch))
    try:
        result = agent.run()
        return Outcome(
            {} if result is None else result.return_values,
            state=agent.get_worker_group().state.name,
            restarts_left=agent._remaining_restarts,
            event=agent.get_event_succeeded().metadata,
        )
    finally:
        agent.get_worker_group().spec.rdzv_handler.shutdown()


def launch_config(launch: Launch) -> LaunchConfig:
    """What `elastic_launch` wants to know."""
    return LaunchConfig(
        min_nodes=launch.nodes[0],
        max_nodes=launch.nodes[1],
        nproc_per_node=launch.nproc,
        run_id=launch.run_id,
        role=launch.role,
        rdzv_backend=BACKEND,
        rdzv_endpoint=launch.namespace,
        rdzv_configs=CONF | dict(launch.conf),
        max_restarts=launch.max_restarts,
        monitor_interval=MONITOR_SECONDS,
        start_method="fork",
        local_addr=launch.local_addr,
    )


def handler_of(launch: Launch) -> RendezvousHandler:
    """The handler that torch's registry makes."""
    config: dict[str, Any] = CONF | dict(launch.conf)
    return get_rendezvous_handler(
        RendezvousParameters(
            BACKEND, launch.namespace, launch.run_id, *launch.nodes, local_addr=launch.local_addr, **config
        )
    )


def local_agent(launch: Launch, handler: RendezvousHandler, logs: Path | None = None) -> LocalElasticAgent:
    """The agent class itself, not run yet. ``logs``: where its workers' output goes."""
    master_addr, master_port = launch.master or (None, None)
    spec = WorkerSpec(
        role=launch.role,
        local_world_size=launch.nproc,
        entrypoint=launch.entry,
        args=tuple(launch.args),
        rdzv_handler=handler,
        max_restarts=launch.max_restarts,
        monitor_interval=MONITOR_SECONDS,
        master_addr=master_addr,
        master_port=master_port,
        local_addr=launch.local_addr,
    )
    return LocalElasticAgent(
        spec,
        logs_specs=DefaultLogsSpecs(log_dir=None if logs is None else str(logs)),
        start_method="fork",
        exit_barrier_timeout=launch.exit_barrier_seconds,
    )
