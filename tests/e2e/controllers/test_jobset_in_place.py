"""JobSet 0.12 restarts all pods of a JobSet in place: pods, addresses and ranks stay, and one round follows."""

import time
from collections.abc import Iterator

import pytest

from e2e.container_processes import kill
from e2e.controllers.resizing import LIMIT, ranks_by_pod
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import FIRST_STEP, RunningExample
from e2e.site import Site
from rendezvous_local.controllers.agent_image import load_in_place_restart_agent

CONTROLLERS = ("jobset",)
FOR_EVER = Patch(
    "JobSet", (replace("/spec/replicatedJobs/0/template/spec/template/spec/containers/0/args/6", "--steps=0"),)
)


@pytest.fixture(scope="module")
def run(examples: Examples, site: Site) -> Iterator[RunningExample]:
    """Three nodes, which train."""
    assert site.node is not None
    agent = load_in_place_restart_agent(site.node)
    with examples.start("jobset-in-place", [FOR_EVER], images={"in-place-restart-agent": agent}) as run:
        try:
            run.wait_for_first_round(3, LIMIT)
            yield run
        finally:
            run.kubectl("-n", run.namespace, "delete", "jobset", "--all", "--ignore-not-found")


def test_a_killed_trainer_restarts_all_in_place_and_one_round_follows(run: RunningExample, figures: Figures) -> None:
    before, ranks = run.pods, ranks_by_pod(run)
    round_ = run.rendezvous.status.round
    victim = ranks[1][1]
    began = time.monotonic()
    kill(before[victim].container_id)
    run.wait_for_round(3, LIMIT, after=round_)
    figures.add("JobSet restarted in place after a kill: until the round", time.monotonic() - began, "s")
    for pod in before:
        run.follow_anew(pod).wait_for(FIRST_STEP, LIMIT)
    after = run.pods
    assert {name: (pod.uid, pod.address) for name, pod in after.items()} == {
        name: (pod.uid, pod.address) for name, pod in before.items()
    }
    assert all(after[name].restarts > before[name].restarts for name in before)
    assert ranks_by_pod(run) == ranks
    assert run.rendezvous.status.round == round_ + 1
