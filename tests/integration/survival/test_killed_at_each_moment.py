"""Workers are lost at an exact moment of taking a round in; whatever the moment, all others end up in one round."""

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.survival.engines import ENGINES
from integration.survival.surviving_node import SurvivingNode, Worker, until_they_step, workers_of
from integration.survival.traces import falls, unequal_weights
from integration.survival.warm_trainers import WarmTrainers
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

pytestmark = pytest.mark.timeout(240)

NODES, WORKERS = 3, 2
MOMENTS = [
    f"{when} {what}" for what in ("open_round_store", "exchange_rosters", "connect") for when in ("before", "after")
]
COMMON_ROUND_SECONDS = 45.0
CONNECT_SECONDS = 2  # a peer that dies before it has connected holds gloo so long
TAKE_IN_LIMIT = 3 * CONNECT_SECONDS


@dataclass(frozen=True)
class Job:
    """Three nodes with two workers each; those that are lost are started again by their launchers."""

    run: Run
    nodes: Sequence[SurvivingNode]

    @property
    def workers(self) -> list[Worker]:
        return workers_of(self.nodes)

    def until_all_work(self, after: int = 0) -> int:
        """Wait for a common round of all, newer than ``after``."""
        return until_they_step(self.workers, NODES * WORKERS, after, COMMON_ROUND_SECONDS)

    @property
    def first(self) -> Worker:
        """The one with rank 0, that serves the round's store."""
        return next(worker for worker in self.workers if worker.newest_step.rank == 0)

    def node_of(self, worker: Worker) -> SurvivingNode:
        return next(node for node in self.nodes if worker in node.workers)

    @property
    def others(self) -> list[SurvivingNode]:
        """The nodes that do not serve the store."""
        return [node for node in self.nodes if node is not self.node_of(self.first)]

    def take_a_round(self) -> None:
        """The Member of a node is deleted, and it joins again: everybody takes a new round in."""
        member = self.run.member_in(self.others[-1].name.rpartition("-")[2])
        assert member is not None
        self.run.delete_member(member.name)


@pytest.fixture(scope="module", params=ENGINES)
def job(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    operator: OperatorProcess,
    anybody: Connection,
    warm: WarmTrainers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Job]:
    """One for all moments: it has to live through them."""
    run = Run(anybody, "default", f"moments-{request.param}-{time.time_ns()}").create(minNodes=2, maxNodes=NODES)
    where = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "KUBE_RENDEZVOUS_NAME": run.name,
        "KUBE_RENDEZVOUS_NAMESPACE": run.namespace,
        "KUBE_RENDEZVOUS_NNODES": f"2:{NODES}",
    }
    folder = tmp_path_factory.mktemp("moments")
    nodes = [
        SurvivingNode(
            f"node-{index}",
            folder,
            where,
            trainer=warm.command,
            workers=WORKERS,
            options=[f"--take-in-limit={TAKE_IN_LIMIT}", "--max-restarts=1000"],
            trainer_options=[f"--engine={request.param}", "--news-timeout=5", f"--take-in-timeout={CONNECT_SECONDS}"],
        )
        for index in range(NODES)
    ]
    yield Job(run, nodes)
    for node in nodes:
        node.process.kill()
    run.delete()


def all_go_on_when(job: Job, victims: Sequence[Worker], number: signal.Signals, moment: str) -> None:
    """The victims get the signal at the moment; the others keep their processes and meet in a common round."""
    others = [worker for worker in job.workers if worker not in victims]
    pids = [worker.pid for worker in others]
    replaced = [worker.pid for worker in victims]
    stood = job.until_all_work()

    for victim in victims:
        victim.gets(number, moment)
    job.take_a_round()
    eventually(lambda: all(victim.moment_has_come for victim in victims), f"the moment {moment}", COMMON_ROUND_SECONDS)
    eventually(
        lambda: all(worker.pid != old for worker, old in zip(victims, replaced, strict=True)),
        "others in their places",
        COMMON_ROUND_SECONDS,
    )

    job.until_all_work(after=stood)
    assert [worker.pid for worker in others] == pids
    for worker in job.workers:
        assert falls(worker.trace.lines) == []
    assert unequal_weights([line for worker in job.workers for line in worker.trace.lines]) == []


@pytest.mark.parametrize("moment", MOMENTS)
class TestKilled:
    def test_rank_0_itself(self, job: Job, moment: str) -> None:
        job.until_all_work()
        all_go_on_when(job, [job.first], signal.SIGKILL, moment)

    def test_one_of_another_node(self, job: Job, moment: str) -> None:
        job.until_all_work()
        all_go_on_when(job, [job.others[0].workers[1]], signal.SIGKILL, moment)


@pytest.mark.parametrize("moment", ["before open_round_store", "after exchange_rosters"])
class TestSeveralAtOnce:
    def test_two_of_different_nodes(self, job: Job, moment: str) -> None:
        job.until_all_work()
        all_go_on_when(job, [job.first, job.others[0].workers[0]], signal.SIGKILL, moment)

    def test_every_process_of_one_node_but_its_launcher(self, job: Job, moment: str) -> None:
        job.until_all_work()
        all_go_on_when(job, job.node_of(job.first).workers, signal.SIGKILL, moment)


@pytest.mark.parametrize("moment", ["before open_round_store", "before connect"])
class TestHangs:
    def test_rank_0_is_started_again_when_the_limit_is_over(self, job: Job, moment: str) -> None:
        job.until_all_work()
        all_go_on_when(job, [job.first], signal.SIGSTOP, moment)
