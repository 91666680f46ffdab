"""Trainers live through the loss and the arrival of nodes: real launchers, workers, operator and API server."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration.command.wrapped_node import ask, is_alive
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.survival.conftest import Start
from integration.survival.surviving_node import SurvivingNode, Worker, until_they_step, workers_of
from integration.survival.traces import Line, falls, unequal_weights, wrong_samples

pytestmark = pytest.mark.timeout(240)

ENGINES = ("reconfigure", "re-init")
SAMPLES, BATCH = 240, 24
TOLERANCE = 1e-9  # of the loss: float64, the same global batches, sums in another order


def lines_of(workers: Sequence[Worker]) -> list[Line]:
    return [line for worker in workers for line in worker.trace.lines]


def all_is_right_with(workers: Sequence[Worker]) -> None:
    for worker in workers:
        assert falls(worker.trace.lines) == []
    lines = lines_of(workers)
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
        pids = [worker.pid for worker in survivors]

        is_lost(lost, run)
        second = until_they_step(survivors, 6, after=first)
        newcomer = start(lost.name, engine=engine)
        until_they_step([*survivors, *newcomer.workers], 8, after=second)

        enough(tmp_path)
        assert [node.exit_status(60) for node in [*others, newcomer]] == [0] * 4
        assert [worker.trace.pids for worker in survivors] == [[pid] for pid in pids]
        workers = [*survivors, *newcomer.workers]  # the newcomer's have the same places, and so the same traces
        all_is_right_with(workers)
        (steps,) = {worker.end.step for worker in workers}
        assert run.status.closed is not None
        loss = loss_of_an_undisturbed_run(run, start, tmp_path, steps)
        assert [worker.end.loss for worker in workers] == pytest.approx([loss] * 8, abs=TOLERANCE)
