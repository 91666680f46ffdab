"""Each example does what its first lines promise.

Job: `test_first_step`; StatefulSet: `test_survivors_told`; losses: `test_survivors_keep_processes`.
"""

import pytest

from e2e.eventually import eventually
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import FIRST_STEP, RunningExample

START_SECONDS = 240.0
STEPS_OF_ONE_JOB = Patch("Job", (replace("/spec/template/spec/containers/0/args/6", "--steps=20"),))
FEW_STEPS = Patch("Job", (replace("/spec/template/spec/containers/0/args/7", "--steps=20"),))


def wait_for_complete(run: RunningExample, *jobs: str) -> None:
    """Wait until these Jobs have succeeded, without a pod that failed on the way."""
    for job in jobs:
        run.kubectl(
            *("-n", run.namespace, "wait", "--for=condition=Complete", f"job/{job}", f"--timeout={START_SECONDS:.0f}s"),
            seconds=START_SECONDS + 30,
        )
        status = run.kubectl.json("-n", run.namespace, "get", "job", job)["status"]
        assert status.get("failed", 0) == 0, status


def test_a_pair_of_jobs_is_one_run_and_completes(examples: Examples) -> None:
    with examples.start("torchrun-job-pair", [FEW_STEPS]) as run:
        run.wait_for_round(3, START_SECONDS)
        assert {member.slot for member in run.ranked} == {"leader-0", "workers-0", "workers-1"}
        wait_for_complete(run, "torchrun-job-pair-leader", "torchrun-job-pair-workers")
        closed = run.wait("closed rendezvous", lambda it: it.status.closed is not None, START_SECONDS)
        assert closed.status.round == 1, "one round was enough: nobody restarted"


def test_a_guarded_job_lets_its_own_pods_in_and_completes(examples: Examples) -> None:
    with examples.start("guarded-job", [STEPS_OF_ONE_JOB], rendezvous="torchrun-job") as run:
        wait_for_complete(run, "torchrun-job")
        closed = run.wait("closed rendezvous", lambda it: it.status.closed is not None, START_SECONDS)
        assert closed.spec.admission is not None
        assert closed.status.refused == ()
        assert closed.status.world_size == 4


def test_a_deployment_grows_and_shrinks_with_its_replicas(examples: Examples) -> None:
    with examples.start("torchrun-deployment") as run:
        run.wait_for_first_round(2, START_SECONDS)
        run.kubectl("-n", run.namespace, "scale", "deployment/torchrun-deployment", "--replicas=3")
        grown = run.wait_for_round(3, START_SECONDS, after=1)
        run.wait_for_first_steps(3, START_SECONDS)
        run.kubectl("-n", run.namespace, "scale", "deployment/torchrun-deployment", "--replicas=2")
        run.wait_for_round(2, START_SECONDS, after=grown.status.round)
        eventually(lambda: len(run.pods) == 2, "two pods", START_SECONDS)
        for pod in run.pods:
            run.log(pod).wait_for(rf"of 2: {FIRST_STEP}", START_SECONDS)


def test_jax_finds_its_processes_and_completes(examples: Examples) -> None:
    with examples.start("jax") as run:
        run.wait_for_first_steps(2, START_SECONDS)
        wait_for_complete(run, "jax")


@pytest.mark.parametrize(("example", "argument"), [("survivors-job", 8), ("survivors-jax", 7)])
def test_workers_that_live_through_rounds_agree_on_the_end_and_complete(
    examples: Examples, example: str, argument: int
) -> None:
    enough_for_all_to_come = Patch(
        "Job", (replace(f"/spec/template/spec/containers/0/args/{argument}", "--steps=200"),)
    )
    with examples.start(example, [enough_for_all_to_come]) as run:
        wait_for_complete(run, example)
        closed = run.wait("closed rendezvous", lambda it: it.status.closed is not None, START_SECONDS)
        assert closed.status.world_size == closed.spec.max_nodes
        for pod in run.pods:
            run.log(pod).wait_for("done after 200 steps", START_SECONDS)


def test_a_shell_script_trains_beside_the_sidecar_and_completes(examples: Examples, figures: Figures) -> None:
    few = Patch("Job", (replace("/spec/template/spec/containers/0/command/2", "60"),))
    with examples.start("sidecar", [few], torch=False) as run:
        run.wait_for_first_round(3, START_SECONDS)
        for member in run.ranked:
            store = run.rendezvous.status.bootstrap_store
            assert store is not None
            place = f"round 1, rank 0 is at {store.address}:"
            assert run.log(member.pod_name).matching(place), f"{member.pod_name} was told another place"
        wait_for_complete(run, "sidecar")
