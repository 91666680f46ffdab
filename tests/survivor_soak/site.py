"""Where the soak runs: a control plane of its own, an operator, a namespace."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from integration.handlers.runs import Run
from integration.survival.warm_trainers import WarmTrainers
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster, cluster
from rendezvous_local.operator_process import OperatorProcess
from survivor_soak.plan import schedule
from survivor_soak.soak import Account, carry_out, come_to_rest
from survivor_soak.world import World

SPEC = {"minNodes": 1, "maxNodes": 4, "heartbeatSeconds": 1, "lastCallSeconds": 0}
TAIL = 6000


def soak(seeds: Iterable[int], account: Account, tell: Callable[[str], None], engine: str = "auto") -> None:
    """Carry the schedules of these seeds out, on the cluster of KUBECONFIG or on a local one of its own.

    Args:
        seeds: one for each schedule.
        account: holds what was found afterwards. What is wrong ends the world; the next schedule has a new one.
        tell: called with a line for each schedule.
        engine: of the trainers.
    """
    began = time.monotonic()
    left = iter(seeds)
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster() as running,
        OperatorProcess(running.kubeconfig, log=Path(folder) / "operator.log") as operator,
        WarmTrainers(Path(folder)) as warm,
    ):
        more = True
        while more:
            with _world(Path(folder), running, operator, warm, engine) as (world, run):
                more = _soak(world, run, left, account, tell, began)


def _soak(
    world: World, run: Run, seeds: Iterator[int], account: Account, tell: Callable[[str], None], began: float
) -> bool:
    """Until there is no seed left (False), or something is wrong (True)."""
    account.violations += come_to_rest(world, run, began)
    for seed in seeds:
        planned = schedule(seed)
        quiet, wrong = carry_out(world, run, planned)
        account.schedules += 1
        account.acts.update(blow.act for blow in planned.blows)
        account.seconds = time.monotonic() - began
        account.slowest = max(account.slowest, (quiet, seed))
        account.ends += [f"{planned}: {end}" for end in world.ends]
        world.ends.clear()
        tell(f"{account.seconds:6.0f} s  {planned}: quiet {quiet:.1f} s")
        if wrong:
            logs = [f"--- node {place}\n{node.log[-TAIL:]}" for place, node in world.nodes.items()]
            account.violations += [f"{planned}: {what}" for what in wrong] + logs
            return True
    return False


@contextmanager
def _world(
    folder: Path, running: Cluster, operator: OperatorProcess, warm: WarmTrainers, engine: str
) -> Iterator[tuple[World, Run]]:
    connection = Connection.open(str(running.kubeconfig))
    run = Run(connection, "default", f"soak-{time.time_ns()}").create(**SPEC)
    inner = folder / run.name
    inner.mkdir()
    where = {
        "KUBECONFIG": str(running.kubeconfig),
        "KUBE_RENDEZVOUS_NAME": run.name,
        "KUBE_RENDEZVOUS_NAMESPACE": run.namespace,
        "KUBE_RENDEZVOUS_NNODES": "1:4",
        "KUBE_RENDEZVOUS_CREATE": "never",
        "KUBE_RENDEZVOUS_ENGINE": engine,
    }
    world = World(inner, run, operator, where, warm.command)
    try:
        yield world, run
    finally:
        world.end()
        run.delete()
        connection.close()
