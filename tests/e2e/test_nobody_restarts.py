"""What happens to the operator or to the API server disturbs nobody who trains."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.container_processes import kill
from e2e.eventually import eventually
from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.job_run import JobRun
from e2e.release import Release
from e2e.running_example import RunningExample
from e2e.site import Site

OUTAGE_SECONDS = 60.0
LIMIT = 120.0
LEASE_SECONDS = 15.0  # the chart's default
MOST_TAKEOVER_SECONDS = LEASE_SECONDS + 5


@contextmanager
def nobody_restarts(run: RunningExample) -> Iterator[None]:
    """Nothing that happens in this block begins a round, a pod, a container or a trainer; and all train on after it."""
    before = run.state()
    steps = {name: run.latest_step(name) for name in before.pods}
    yield
    run.wait_for_later_steps(steps, LIMIT)
    assert run.state() == before


def test_when_every_operator_pod_is_deleted(job_run: JobRun, release: Release) -> None:
    job_run.stands()
    with nobody_restarts(job_run.run):
        old = set(release.operator_pods())
        release.kubectl("-n", release.namespace, "delete", "pod", "-l", release.selector())
        eventually(lambda: not old & set(release.operator_pods()), "end of the old operator pods", LIMIT)
        release.wait_until_ready(LIMIT)
        release.wait_for_leader(LIMIT)


def test_when_the_leader_is_killed(job_run: JobRun, release: Release, site: Site, figures: Figures) -> None:
    site.needs_this_machine()
    job_run.stands()
    release.wait_until_ready(LIMIT)
    with nobody_restarts(job_run.run):
        old, container = release.wait_for_leader(LIMIT), release.leader_pod().container_id
        began = time.monotonic()
        kill(container)
        release.wait_for_leader(LIMIT, other_than=old)
        seconds = time.monotonic() - began
    figures.hold("leader killed (SIGKILL) until the other replica leads", seconds, "s", MOST_TAKEOVER_SECONDS)
    release.wait_until_ready(LIMIT)


def test_a_round_that_is_being_formed_when_the_leader_is_killed_is_formed_by_the_other(
    examples: Examples, release: Release, site: Site
) -> None:
    site.needs_this_machine()
    release.wait_until_ready(LIMIT)
    leader = release.leader_pod()
    all_three = [Patch("Job", (replace("/spec/parallelism", 2),)), Patch("Rendezvous", (replace("/spec/minNodes", 3),))]
    with examples.start("sidecar", all_three, torch=False) as run:
        run.wait("two that wait", lambda it: it.status.forming is not None and it.status.forming.arrived == 2, LIMIT)
        kill(leader.container_id)
        run.kubectl(
            "-n", run.namespace, "patch", "job", "sidecar", "--type=merge", "-p", '{"spec": {"parallelism": 3}}'
        )
        run.wait_for_round(3, LIMIT)
        run.wait_for_first_steps(3, LIMIT)
        assert run.rendezvous.status.round == 1
        assert [pod.restarts for pod in run.pods.values()] == [0, 0, 0]
    release.wait_until_ready(LIMIT)


def test_when_the_api_server_is_killed_and_comes_back_after_a_minute(
    job_run: JobRun, release: Release, site: Site
) -> None:
    machine = site.needs_this_machine()
    job_run.stands()
    with nobody_restarts(job_run.run):
        machine.kill_api_server()
        try:
            time.sleep(OUTAGE_SECONDS)  # the length of the outage is what is tested
        finally:
            machine.start_api_server()
        release.wait_until_ready(LIMIT)
        renewed = release.lease()["renewTime"]
        eventually(lambda: release.lease()["renewTime"] > renewed, "a leader that renews its lease", LIMIT)
        time.sleep(20)  # longer than three heartbeats: what was not heard of in the outage could be taken for lost now
