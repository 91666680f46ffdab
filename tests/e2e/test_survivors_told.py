"""Whatever ends a node, the others are told, and train on with its replacement.

One run of torchrun agents in a StatefulSet for all; each test begins with a full round. Heartbeats are missed after
fifteen seconds, so what names another reason than `HeartbeatLost` was learnt from the cluster.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from e2e.container_processes import is_alive, kill, main_process, wait_for_end
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.running_example import FIRST_STEP, NOTICE, RunningExample
from e2e.site import Site
from kube_rendezvous.resources import Rendezvous

NODES = 3
TOLD_SECONDS = 60.0
AGAIN_SECONDS = 180.0


@pytest.fixture(scope="module")
def run(examples: Examples) -> Iterator[RunningExample]:
    """Three torchrun agents."""
    with examples.start("torchrun-statefulset") as run:
        run.wait_for_first_round(NODES, AGAIN_SECONDS)
        yield run


@dataclass(frozen=True)
class Loss:
    """What a loss led to.

    Args:
        reason: why the next round is formed.
        message: the same as a sentence.
        told: seconds until the survivors' round was declared over.
        heard: seconds until the last survivor's trainer was asked to stop.
        again: seconds until the last survivor trained again.
    """

    reason: str
    message: str
    told: float
    heard: float
    again: float


def lose(run: RunningExample, victim: str, act: Callable[[], float], then: Callable[[], None] = lambda: None) -> Loss:
    """Lose one node and wait until the survivors train again.

    Args:
        act: does it and returns when, by `time.time`.
        then: called when the survivors' round was declared over, before their logs are read.
    """
    full = run.wait_for_round(NODES, AGAIN_SECONDS)
    survivors = sorted(set(run.pods) - {victim})
    assert len(survivors) == NODES - 1
    before = {name: len(run.log(name).matching(FIRST_STEP)) for name in survivors}
    notices = {name: len(run.log(name).matching(NOTICE)) for name in survivors}
    with ThreadPoolExecutor(1) as beside:
        telling = beside.submit(_when_told, run, full.status.round)
        began = act()
        told, told_at = telling.result()
    then()
    forming = told.status.forming
    heard_at = max(run.log(name).wait_for(NOTICE, TOLD_SECONDS, more_than=notices[name]).at for name in survivors)
    again_at = max(run.log(name).wait_for(FIRST_STEP, AGAIN_SECONDS, more_than=before[name]).at for name in survivors)
    why = forming or next(past for past in told.status.history if past.round == told.status.round)
    assert min(told_at, heard_at, again_at) > began
    return Loss(why.reason, why.message, told_at - began, heard_at - began, again_at - began)


def _when_told(run: RunningExample, round_: int) -> tuple[Rendezvous, float]:
    return run.wait_until_told(round_, TOLD_SECONDS), time.time()


def back_to_strength(run: RunningExample, victim: str) -> None:
    """Wait for the replacement, and for a full round in which it trains."""
    run.wait_for_round(NODES, AGAIN_SECONDS)
    run.follow_anew(victim).wait_for(rf"of {NODES}: {FIRST_STEP}", AGAIN_SECONDS)


def report(figures: Figures, what: str, loss: Loss) -> None:
    """Add it to the table."""
    figures.add(f"{what}: survivors' round declared over", loss.told, "s")
    figures.add(f"{what}: survivors' trainers asked to stop", loss.heard, "s")
    figures.add(f"{what}: survivors train again", loss.again, "s")


def test_a_pod_that_is_deleted_by_force(run: RunningExample, figures: Figures) -> None:
    victim = "torchrun-statefulset-1"

    def act() -> float:
        began = time.time()
        path = f"/api/v1/namespaces/{run.namespace}/pods/{victim}"
        run.connection.request("DELETE", path, query={"gracePeriodSeconds": "0"})
        return began

    loss = lose(run, victim, act)
    assert loss.reason in ("PodDeleted", "MemberDeleted")
    report(figures, "pod deleted by force", loss)
    back_to_strength(run, victim)


def test_a_container_that_is_killed(run: RunningExample, figures: Figures, site: Site) -> None:
    site.needs_this_machine()
    victim = "torchrun-statefulset-2"
    container = run.pods[victim].container_id

    def act() -> float:
        began = time.time()
        kill(container)
        return began

    loss = lose(run, victim, act)
    assert loss.reason in ("ContainerEnded", "ContainerRestarted")
    report(figures, "container killed", loss)
    back_to_strength(run, victim)


def test_a_pod_that_is_evicted_sees_it_and_the_others_are_told_before_it_ends(
    run: RunningExample, figures: Figures, site: Site
) -> None:
    site.needs_this_machine()
    victim = "torchrun-statefulset-1"
    process = main_process(run.pods[victim].container_id)
    log = run.log(victim)
    alive_when_told: list[bool] = []

    def act() -> float:
        began = time.time()
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": victim}}
        round_ = run.rendezvous.status.round
        path = f"/api/v1/namespaces/{run.namespace}/pods/{victim}/eviction"
        run.connection.request("POST", path, body=body)
        run.wait_until_told(round_, TOLD_SECONDS)
        alive_when_told.append(is_alive(process))
        return began

    loss = lose(run, victim, act)
    assert alive_when_told == [True], "the survivors were told only when it had ended"
    assert loss.reason == "PodEvicted"
    assert log.matching(rf"{NOTICE}: saving step"), "its trainer did not see the notice"
    wait_for_end(process, 60)
    report(figures, "pod evicted", loss)
    back_to_strength(run, victim)


def test_a_node_that_is_drained(run: RunningExample, figures: Figures) -> None:
    """The only node there is: it is cordoned, and one of the trainer's pods is drained from it."""
    victim = "torchrun-statefulset-0"
    node = run.pods[victim].node
    log = run.log(victim)

    def act() -> float:
        began = time.time()
        selector = f"apps.kubernetes.io/pod-index=0,app={run.name}"
        try:
            run.kubectl("drain", node, f"--pod-selector={selector}", "--delete-emptydir-data", "--timeout=60s")
        finally:
            run.kubectl("uncordon", node)
        return began

    loss = lose(run, victim, act)
    assert loss.reason == "PodEvicted"
    assert log.matching(rf"{NOTICE}: saving step"), "its trainer did not see the notice"
    report(figures, "node drained (by kubectl drain, which ends with the pod)", loss)
    back_to_strength(run, victim)


def test_a_node_whose_kubelet_is_silent(run: RunningExample, figures: Figures, site: Site) -> None:
    machine = site.needs_this_machine()
    victim = "torchrun-statefulset-2"
    container = run.pods[victim].container_id

    def act() -> float:
        machine.stop_kubelet()
        began = time.time()
        kill(container)
        return began

    def then() -> None:
        machine.start_kubelet()  # logs come from the kubelet, too

    try:
        loss = lose(run, victim, act, then)
    finally:
        machine.start_kubelet()
    assert loss.reason == "HeartbeatLost"
    report(figures, "kubelet stopped, then the process killed (3 heartbeats of 5 s)", loss)
    back_to_strength(run, victim)
