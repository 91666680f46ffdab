"""Trainers live through the loss and the arrival of nodes: real launchers, workers, operator and API server."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration.command.wrapped_node import ask
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.survival.conftest import Start, StartAlone
from integration.survival.engines import ENGINES, ON_GPU
from integration.survival.surviving_node import SurvivingNode, Worker, until_they_step, workers_of
from integration.survival.traces import falls, read_together, unequal_weights, wrong_samples

pytestmark = pytest.mark.timeout(240)

SAMPLES, BATCH = 240, 24
TOLERANCE = 1e-9  # of the loss: float64, the same global batches, sums in another order


def all_is_right_with(workers: Sequence[Worker]) -> None:
    for worker in workers:
        assert falls(worker.trace.lines) == []
    lines = read_together(worker.trace for worker in workers)
    assert unequal_weights(lines) == []
    assert wrong_samples(lines, SAMPLES, BATCH) == []


def enough(folder: Path) -> None:
    """All trainers end after one of their next steps."""
    (folder / "enough").touch()


def is_lost(node: SurvivingNode, run: Run) -> None:
    """Its machine is gone, and so is its pod's Member."""
    slot = node.name.rpartition("-")[2]
    member = run.member_in(slot)
    node.kill_all()
    assert member is not None
    run.delete_member(member.name)


def loss_of_an_undisturbed_run(run: Run, start: Start, folder: Path, steps: int) -> float:
    """Of one worker that nobody disturbs."""
    (folder / "enough").unlink()
    run.delete()
    run.create(minNodes=1, maxNodes=1)
    alone = start("alone", workers=1, steps=steps, step_seconds=0)
    assert alone.exit_status(60) == 0
    return alone.workers[0].end.loss


def pids_of(workers: Sequence[Worker]) -> list[list[int]]:
    """The processes that each place has had."""
    return [worker.trace.pids for worker in workers]


class TestANodeIsLostAndAnotherOneComes:
    @pytest.mark.parametrize("engine", ENGINES)
    def test_survivors_keep_their_processes_steps_samples_and_loss(
        self, run: Run, start: Start, tmp_path: Path, engine: str
    ) -> None:
        run.create(minNodes=2, maxNodes=4)
        nodes = [start(f"node-{index}", engine=engine) for index in range(4)]
        first = until_they_step(workers_of(nodes), 8)
        lost, *others = nodes
        survivors = workers_of(others)
        pids = pids_of(survivors)

        is_lost(lost, run)
        second = until_they_step(survivors, 6, after=first)
        newcomer = start(lost.name, engine=engine)
        until_they_step([*survivors, *newcomer.workers], 8, after=second)

        enough(tmp_path)
        assert [node.exit_status(60) for node in [*others, newcomer]] == [0] * 4
        assert pids_of(survivors) == pids
        workers = [*survivors, *newcomer.workers]  # the newcomer's have the same places, and so the same traces
        all_is_right_with(workers)
        (steps,) = {worker.end.step for worker in workers}
        assert run.status.closed is not None
        loss = loss_of_an_undisturbed_run(run, start, tmp_path, steps)
        assert [worker.end.loss for worker in workers] == pytest.approx([loss] * 8, abs=TOLERANCE)

    def test_without_launchers_too(self, run: Run, start_alone: StartAlone, tmp_path: Path) -> None:
        run.create(minNodes=2, maxNodes=3)
        options = ("ddp_trainer.py", f"--rendezvous={run.name}", f"--namespace={run.namespace}", "--nnodes=2:3")
        nodes = [start_alone(number, *options) for number in range(3)]
        lost, *survivors = workers = [Worker(tmp_path, node.name) for node in nodes]
        first = until_they_step(workers, 3)
        pids = pids_of(survivors)

        nodes[0].kill()
        second = until_they_step(survivors, 2, after=first)
        nodes[0] = start_alone(0, *options)
        until_they_step([lost, *survivors], 3, after=second)

        enough(tmp_path)
        assert [node.exit_status() for node in nodes] == [0] * 3
        assert pids_of(survivors) == pids
        all_is_right_with(workers)
        assert run.status.closed is not None


class TestTheRendezvousIsDeletedAndCreatedAnew:
    def test_workers_whose_rounds_count_from_one_again_are_started_again_and_it_is_no_failure_of_theirs(
        self, run: Run, start: Start
    ) -> None:
        run.create(minNodes=2, maxNodes=2)
        nodes = [start(f"node-{index}", "--max-restarts=0") for index in range(2)]
        workers = workers_of(nodes)
        until_they_step(workers, 4)
        before = pids_of(workers)

        run.delete()
        run.create(minNodes=2, maxNodes=2)

        def step_in_new_processes() -> bool:
            newest = [worker.newest_step for worker in workers]
            started = [step.pid not in pids for step, pids in zip(newest, before, strict=True)]
            return all(started) and {step.world for step in newest} == {4}

        eventually(step_in_new_processes, "all workers go on in new processes")
        assert all("rounds are counted anew: it is started again" in node.log for node in nodes)
        all_is_right_with(workers)


class TestAWorkerOfItsOwn:
    """One worker fails, and no machine."""

    def test_is_killed_and_it_alone_is_started_again(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=2)
        nodes = [start("node-0"), start("node-1")]
        first = until_they_step(workers_of(nodes), 4)
        victim = nodes[0].workers[1]
        others = [worker for worker in workers_of(nodes) if worker is not victim]
        pids = pids_of(others)

        victim.kill()

        until_they_step(workers_of(nodes), 4, after=first)
        assert pids_of(others) == pids
        assert len(victim.trace.pids) == 2
        assert "worker 1 has ended with status 137; it is started again, restart 1 of 3" in nodes[0].log
        all_is_right_with(workers_of(nodes))

    def test_hangs_and_is_started_again_when_the_limit_for_taking_a_round_in_is_over(
        self, run: Run, start: Start
    ) -> None:
        run.create(minNodes=1, maxNodes=2)
        nodes = [start("node-0", "--take-in-limit=2"), start("node-1")]
        first = until_they_step(workers_of(nodes), 4)
        hanging = nodes[0].workers[1]
        others = [worker for worker in workers_of(nodes) if worker is not hanging]
        pids = pids_of(others)

        hanging.send(signal.SIGSTOP)
        member = run.member_in("1")
        assert member is not None
        run.delete_member(member.name)  # a round changes, for whatever reason

        until_they_step(workers_of(nodes), 4, after=first)
        assert pids_of(others) == pids
        assert "worker 1 has not taken round" in nodes[0].log
        all_is_right_with(workers_of(nodes))

    def test_raises_an_error_of_its_own_and_the_others_go_on_without_its_node(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=2)
        failing, other = start("node-0", "--max-restarts=0"), start("node-1")
        first = until_they_step(workers_of([failing, other]), 4)
        pids = pids_of(other.workers)

        failing.workers[0].raises()

        assert failing.exit_status() == 1
        assert "LookupError: a sample cannot be read" in failing.log
        assert "worker 0 has ended with status 1, and no restart is left of 0" in failing.log
        until_they_step(other.workers, 2, after=first)
        assert pids_of(other.workers) == pids
        all_is_right_with(workers_of([failing, other]))


class TestAMachineThatHangs:
    def test_does_not_hold_the_others_and_comes_back_when_it_wakes(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=2, heartbeatSeconds=1)
        hanging, other = start("node-0"), start("node-1")
        first = until_they_step(workers_of([hanging, other]), 4)
        pids = pids_of(workers_of([hanging, other]))

        hanging.signal_all(signal.SIGSTOP)
        second = until_they_step(other.workers, 2, after=first)
        hanging.signal_all(signal.SIGCONT)

        until_they_step(workers_of([hanging, other]), 4, after=second)
        assert pids_of(workers_of([hanging, other])) == pids
        all_is_right_with(workers_of([hanging, other]))

    def test_in_the_midst_of_large_transfers_comes_back_too(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=2, heartbeatSeconds=1)
        nodes = [start(name, step_seconds=0, summed_megabytes=16) for name in ("node-0", "node-1")]
        workers = workers_of(nodes)
        newest = until_they_step(workers, 4)
        pids = pids_of(workers)

        for hanging, other in (nodes, nodes[::-1]) * 2:
            hanging.signal_all(signal.SIGSTOP)
            newest = until_they_step(other.workers, 2, after=newest)
            hanging.signal_all(signal.SIGCONT)
            newest = until_they_step(workers, 4, after=newest)

        assert pids_of(workers) == pids
        all_is_right_with(workers)

    @pytest.mark.skipif(ON_GPU, reason="gloo's: NCCL's transfers end when they are aborted")
    @pytest.mark.parametrize("beside", ["no", "yes"], ids=["waits for it", "waits for another collective"])
    def test_costs_who_has_more_to_send_it_than_a_connection_holds_its_process_and_the_others_seconds(
        self, run: Run, start: Start, beside: str
    ) -> None:
        run.create(minNodes=1, maxNodes=3, heartbeatSeconds=1)
        nodes = [
            start(f"node-{index}", workers=1, step_seconds=0, sent_megabytes=256, send_beside=beside)
            for index in range(3)
        ]
        first = until_they_step(workers_of(nodes), 3)
        sending, other, hanging = sorted(nodes, key=lambda node: node.workers[0].newest_step.rank)
        pids = pids_of(other.workers)

        hanging.workers[0].hangs()
        eventually(lambda: hanging.workers[0].hangs_now, "it hangs in the midst of a transfer")
        hanging.signal_all(signal.SIGSTOP)

        until_they_step(workers_of([sending, other]), 2, after=first)
        assert len(sending.workers[0].trace.pids) == 2
        assert f"worker 0 waits in round {first}, which is over, for a transfer that gloo will not end" in sending.log
        assert pids_of(other.workers) == pids
        all_is_right_with(workers_of(nodes))


class TestALauncher:
    def test_hands_sigterm_on_and_leaves_and_the_others_go_on(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=2)
        leaving, other = start("node-0"), start("node-1")
        first = until_they_step(workers_of([leaving, other]), 4)
        pids = pids_of(other.workers)

        leaving.signal(signal.SIGTERM)

        assert leaving.exit_status() == 128 + signal.SIGTERM
        assert not any(worker.is_alive for worker in leaving.workers)
        until_they_step(other.workers, 2, after=first)
        assert pids_of(other.workers) == pids
        assert "MemberLeft" in other.log

    def test_that_is_killed_takes_its_workers_along(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=1)
        node = start("node-0")
        until_they_step(node.workers, 2)
        node.kill()
        eventually(lambda: not any(worker.is_alive for worker in node.workers), "the end of the workers")


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--nproc-per-node=2"], "--nproc-per-node: at least 1, and more than 1 with --keep-survivors only"),
            (["--nproc-per-node=0", "--keep-survivors"], "--nproc-per-node: at least 1"),
            (["--inherit-socket", "--keep-survivors"], "the workers get the socket in any case"),
        ],
    )
    def test_is_said_before_anything_is_started(self, options: list[str], message: str) -> None:
        answer = ask("run", "--name=run", "--nnodes=1", *options, "--", "false")
        assert answer.returncode == 2
        assert message in answer.stderr
