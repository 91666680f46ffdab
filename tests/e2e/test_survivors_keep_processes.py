"""Whatever ends a pod or a worker, the workers of the other pods go on in the processes that they have.

One run of four pods of two workers with torch for all, and one of three pods with JAX; each test begins with a full
round and ends with one. After every loss and after every growth: the survivors' process ids and start times on the
node, the process ids that they print, their containers' ids, starts and restarts are those of before, and no step is
smaller than one before it.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from e2e.container_processes import freeze, thaw
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.site import Site
from e2e.surviving_run import NEXT_STEP_SECONDS, Survival, SurvivingRun

HEARTBEATS_SECONDS = 20.0  # three of five seconds, and the look at it
TORCH_STEPS, JAX_STEPS = 8, 7  # where their Jobs' arguments say how many


def train_for_ever(argument: int) -> Patch:
    """Train until the tests are done."""
    return Patch("Job", (replace(f"/spec/template/spec/containers/0/args/{argument}", "--steps=0"),))


@pytest.fixture(scope="module")
def torch_run(examples: Examples, site: Site) -> Iterator[SurvivingRun]:
    """Four pods of two workers, all of which train."""
    here = site.machine is not None
    with examples.start("survivors-job", [train_for_ever(TORCH_STEPS)]) as run:
        torch_run = SurvivingRun(run, "/scripts/train_surviving.py", nodes=4, workers=2, sees_processes=here)
        torch_run.wait_until_all_train()
        yield torch_run


@pytest.fixture(scope="module")
def jax_run(examples: Examples, site: Site) -> Iterator[SurvivingRun]:
    """Three pods of one worker, all of which train."""
    here = site.machine is not None
    with examples.start("survivors-jax", [train_for_ever(JAX_STEPS)]) as run:
        jax_run = SurvivingRun(run, "/scripts/train_surviving_jax.py", nodes=3, workers=1, sees_processes=here)
        jax_run.wait_until_all_train()
        yield jax_run


def report(figures: Figures, what: str, survival: Survival, limit: float = NEXT_STEP_SECONDS) -> None:
    """Add it to the table."""
    figures.add(f"{what} -> survivors' next optimizer step", survival.next_step, "s", limit=limit)
    figures.add(f"{what} -> everybody trains again, with what replaces it", survival.again, "s")


def test_torch_when_a_pod_is_deleted_by_force(torch_run: SurvivingRun, figures: Figures) -> None:
    victim = torch_run.pod_of_rank(1)
    survival = torch_run.lose(victim, lambda: torch_run.delete(victim, force=True))
    report(figures, "survivors-job: pod deleted by force", survival)


def test_torch_when_a_pod_is_deleted_and_has_time_to_end(torch_run: SurvivingRun, figures: Figures) -> None:
    victim = torch_run.pod_of_rank(2)
    survival = torch_run.lose(victim, lambda: torch_run.delete(victim, force=False))
    report(figures, "survivors-job: pod deleted", survival)


def test_torch_when_the_pod_of_rank_0_is_deleted_by_force(torch_run: SurvivingRun, figures: Figures) -> None:
    victim = torch_run.pod_of_rank(0)
    survival = torch_run.lose(victim, lambda: torch_run.delete(victim, force=True))
    report(figures, "survivors-job: pod of rank 0 deleted by force", survival)


def test_torch_when_one_worker_of_a_pod_is_killed(torch_run: SurvivingRun, figures: Figures, site: Site) -> None:
    """It alone is started again: its neighbour in the container keeps its process as the other pods' workers do."""
    site.needs_this_machine()
    victim = torch_run.pod_of_rank(3)
    pod, workers = torch_run.run.pods[victim], torch_run.processes(victim)
    killed = min(workers, key=lambda one: one.pid)

    def act() -> float:
        began = time.time()
        os.kill(killed.pid, signal.SIGKILL)
        return began

    survival = torch_run.lose(victim, act)
    assert torch_run.run.pods[victim] == pod
    assert torch_run.processes(victim) > workers - {killed}
    report(figures, "survivors-job: worker killed", survival)


def test_torch_when_a_pod_hangs_and_goes_on_later(torch_run: SurvivingRun, figures: Figures, site: Site) -> None:
    """No connection breaks: three missed heartbeats tell, and the survivors free themselves from their collectives.

    Those that hung keep their processes, too.
    """
    site.needs_this_machine()
    victim = torch_run.pod_of_rank(3)
    pod, workers = torch_run.run.pods[victim], torch_run.processes(victim)

    def act() -> float:
        began = time.time()
        freeze(pod.container_id)
        return began

    limit = HEARTBEATS_SECONDS + NEXT_STEP_SECONDS
    try:
        survival = torch_run.lose(victim, act, then=lambda: thaw(pod.container_id), limit=limit)
    finally:
        thaw(pod.container_id)
    assert (torch_run.run.pods[victim], torch_run.processes(victim)) == (pod, workers)
    report(figures, "survivors-job: pod hangs (3 heartbeats of 5 s)", survival, limit)


def test_jax_when_a_pod_is_deleted_by_force(jax_run: SurvivingRun, figures: Figures) -> None:
    victim = jax_run.pod_of_rank(1)
    survival = jax_run.lose(victim, lambda: jax_run.delete(victim, force=True))
    report(figures, "survivors-jax: pod deleted by force", survival)


def test_jax_when_the_pod_of_process_0_is_deleted_by_force(jax_run: SurvivingRun, figures: Figures) -> None:
    victim = jax_run.pod_of_rank(0)
    survival = jax_run.lose(victim, lambda: jax_run.delete(victim, force=True))
    report(figures, "survivors-jax: pod of process 0 deleted by force", survival)
