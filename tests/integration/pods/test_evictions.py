"""EvictionRequests and Evictions of an API server that has them (Kubernetes 1.37 with the gate on), and without.

Kubernetes 1.37.2 has no controller for them: the tests play it (`eviction_objects`).
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from integration.pods.eviction_objects import EVICTOR, EvictionObjects
from integration.pods.gated_cluster import cluster_with
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects, whole_second
from integration.pods.pod_run import PodRun, eventually
from integration.pods.test_pods import LIMIT, assert_told_at_once, stand
from integration.pods.test_pods_that_cannot_come import condition
from kube_rendezvous.cluster import Connection
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous_core.observed.eviction_reading import RESPONDER
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeMember = Callable[[Identity], PodMember]

GATE = "--feature-gates=EvictionRequestAPI=true"
SERVED = "--runtime-config=lifecycle.k8s.io/v1alpha1=true"

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One of its own, with the gate."""
    with cluster_with([GATE, SERVED]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: Cluster, operator_log: Path) -> Iterator[OperatorProcess]:
    """An operator that hears evictions."""
    with OperatorProcess(cluster.kubeconfig, log=operator_log, arguments=["--evictions"]) as operator:
        yield operator
        assert operator.restarts == 0


@pytest.fixture
def namespace(anybody: Connection) -> str:
    """A namespace of the test's own."""
    body = {"metadata": {"generateName": "test-"}}
    return str(anybody.request("POST", "/api/v1/namespaces", body=body)["metadata"]["name"])


@pytest.fixture
def evictions(anybody: Connection, namespace: str) -> EvictionObjects:
    """Those of the test's namespace."""
    return EvictionObjects(anybody, namespace)


@pytest.fixture
def three(run: PodRun, pods: PodObjects, member: MakeMember) -> list[PodMember]:
    """Three members of a round that two can do, in pods whose eviction waits for the operator."""
    run.create(minNodes=2, maxNodes=3)
    return stand(*(member(pods.run(f"trainer-{n}", "run", responders=(RESPONDER,))) for n in range(3)))


def test_a_member_is_handed_over_before_its_eviction_which_is_answered_when_a_round_stands_without_it(
    run: PodRun, pods: PodObjects, evictions: EvictionObjects, three: list[PodMember]
) -> None:
    *survivors, leaver = three
    pod = leaver.identity
    assert pods.get(pod.pod_name)["spec"]["evictionResponders"] == [{"name": RESPONDER, "priority": 10000}]
    eviction = evictions.make(pod.pod_name, pod.pod_uid, RESPONDER, active=RESPONDER)
    assert_told_at_once(*survivors, leaver)
    forming = run.status.forming
    assert forming is not None
    said = f"{leaver.name}: somebody asks for the eviction of its pod {pod.pod_name} (drain.example.com/upgrade)"
    assert (forming.reason, forming.message) == ("EvictionRequested", said)
    heard = eventually(lambda: evictions.answer(eviction).get("heartbeatTime") and evictions.answer(eviction), "heard")
    assert heard["message"] == f"{leaver.name} has a place in round 1; round 2 is formed without it."
    assert "expectedCompletionTime" in heard
    assert "completionTime" not in heard, "its place is not handed over yet"
    waiting = leaver.join()
    stand(*survivors)
    done = eventually(lambda: evictions.answer(eviction).get("completionTime") and evictions.answer(eviction), "done")
    assert done["message"] == "No round of the rendezvous rests on it; the newest is round 2."
    assert run.status.ranks == tuple(one.name for one in survivors)
    eventually(lambda: leaver.name in condition(run.status, "EvictionsRequested"), "it has come again, and is named")
    assert not waiting.done(), "it has no place until that is withdrawn"


def test_one_that_is_canceled_lets_the_member_come_again(
    run: PodRun, evictions: EvictionObjects, three: list[PodMember]
) -> None:
    *survivors, leaver = three
    eviction = evictions.make(leaver.identity.pod_name, leaver.identity.pod_uid, RESPONDER, active=RESPONDER)
    assert_told_at_once(*survivors)
    waiting = leaver.join()
    stand(*survivors)
    run.edit(lastCallSeconds=0)
    evictions.cancel(eviction)
    assert_told_at_once(*survivors)
    again = [one.join() for one in survivors]
    assert {one.result(LIMIT).world_size for one in (*again, waiting)} == {3}
    assert not condition(run.status, "EvictionsRequested")


def test_an_eviction_waits_for_no_round_that_too_few_are_left_for(
    run: PodRun, pods: PodObjects, member: MakeMember, evictions: EvictionObjects
) -> None:
    run.create(minNodes=2, maxNodes=2)
    first, leaver = stand(*(member(pods.run(f"trainer-{n}", "run", responders=(RESPONDER,))) for n in range(2)))
    eviction = evictions.make(leaver.identity.pod_name, leaver.identity.pod_uid, RESPONDER, active=RESPONDER)
    assert_told_at_once(first, leaver)
    for one in (first, leaver):
        one.join()
    done = eventually(lambda: evictions.answer(eviction).get("completionTime") and evictions.answer(eviction), "done")
    assert done["message"] == "Its workers have ended; too few others are there for a round without it."


def test_an_answer_comes_at_the_latest_when_the_time_is_up(
    run: PodRun, evictions: EvictionObjects, three: list[PodMember]
) -> None:
    leaver = three[-1]
    run.edit(lastCallSeconds=0)
    eviction = evictions.make(
        leaver.identity.pod_name,
        leaver.identity.pod_uid,
        RESPONDER,
        active=RESPONDER,
        since=whole_second() - timedelta(seconds=25),  # the API server takes no more than half a minute
    )
    answer = eventually(lambda: evictions.answer(eviction).get("completionTime") and evictions.answer(eviction), "", 60)
    assert answer["message"] in (
        "It could not be handed over in time.",
        "No round of the rendezvous rests on it; the newest is round 2.",
    )


def test_a_pod_that_no_round_rests_on_may_go_at_once(
    run: PodRun, pods: PodObjects, evictions: EvictionObjects, three: list[PodMember]
) -> None:
    spare = pods.run("trainer-3", "run", responders=(RESPONDER,))
    eviction = evictions.make("trainer-3", spare.pod_uid, RESPONDER, active=RESPONDER)
    done = eventually(lambda: evictions.answer(eviction).get("completionTime") and evictions.answer(eviction), "done")
    assert done["message"] == "No round of the rendezvous rests on it; the newest is round 1."
    assert not any(one.told for one in three)


@pytest.mark.parametrize("first", [EVICTOR, "other.example.com/saves-first"])
def test_of_a_pod_that_others_evict_the_member_is_handed_over_too_unless_our_turn_comes_later(
    run: PodRun, pods: PodObjects, member: MakeMember, evictions: EvictionObjects, first: str
) -> None:
    run.create(minNodes=2, maxNodes=3)
    ours = first != EVICTOR
    responders = (first, RESPONDER) if ours else ()
    three = stand(*(member(pods.run(f"trainer-{n}", "run", responders=responders)) for n in range(3)))
    leaver = three[-1]
    eviction = evictions.make(leaver.identity.pod_name, leaver.identity.pod_uid, *responders, active=first)
    if ours:
        run.edit(maxNodes=4)
        run.until(lambda now: now.observed_generation == 2, "the operator has looked")
        assert not any(one.told for one in three), "its turn has not come"
    else:
        assert_told_at_once(*three)
    assert "heartbeatTime" not in evictions.answer(eviction)


def test_a_request_of_which_no_controller_makes_an_eviction_hands_over_until_it_is_withdrawn(
    run: PodRun, evictions: EvictionObjects, three: list[PodMember]
) -> None:
    *survivors, leaver = three
    request = evictions.request(leaver.identity.pod_name, leaver.identity.pod_uid)
    assert_told_at_once(*survivors, leaver)
    assert "(drain.example.com/upgrade)" in condition(run.status, "EvictionsRequested") or run.status.forming
    waiting = leaver.join()
    stand(*survivors)
    assert run.status.ranks == tuple(one.name for one in survivors)
    run.edit(lastCallSeconds=0)
    evictions.withdraw(request)
    assert_told_at_once(*survivors)
    again = [one.join() for one in survivors]
    assert {one.result(LIMIT).world_size for one in (*again, waiting)} == {3}
