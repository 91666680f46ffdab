"""One pod that joins and leaves as fast as it can costs a run a few rounds, not one after another."""

import threading
import time

import pytest

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import LIMIT, MakeMember, stand
from kube_rendezvous.resources import RendezvousStatus

pytestmark = pytest.mark.usefixtures("operator")

SECONDS = 20.0
ROUNDS_AT_THE_MOST = 12  # three for nothing, then after 5, 10 and 20 s: each comes and goes. Without a bound: 100


def rejoin(member: PodMember, over: threading.Event) -> None:
    """As an agent: whenever it is told, join again."""
    while not over.is_set():
        if member.wait_until_told(0.5):
            member.join().result(LIMIT)


def held_back(status: RendezvousStatus) -> str:
    """What the status says of pods that come and go; "" if it names none."""
    return "".join(c.message for c in status.conditions if c.type == "ComesAndGoes" and c.status == "True")


def test_a_pod_that_comes_and_goes_costs_a_run_few_rounds_and_is_named(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    run.create(minNodes=2, maxNodes=4, lastCallSeconds=0)
    survivors = [member(pods.run(name, "run")) for name in ("job-0-aaaaa", "job-1-bbbbb")]
    stand(*survivors)
    over = threading.Event()
    agents = [threading.Thread(target=rejoin, args=(one, over), daemon=True) for one in survivors]
    for agent in agents:
        agent.start()
    neighbour = pods.run("neighbour-2-ccccc", "run")
    joins, end = 0, time.monotonic() + SECONDS
    while True:
        guest = member(neighbour)
        joined = guest.join()
        try:
            joined.result(max(0.0, end - time.monotonic()))
        except TimeoutError:
            break
        guest.leave()
        joins += 1
    assert joins >= 4
    assert run.status.round <= ROUNDS_AT_THE_MOST
    said = run.until(lambda now: held_back(now), "the pod is named", LIMIT)
    assert "neighbour-2-ccccc" in held_back(said)
    run.close()
    over.set()
    for agent in agents:
        agent.join(LIMIT)
