"""What makes pods is read when a decision rests on it, on the real API server; without the right, nothing breaks."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integration.conftest import Kubectl
from integration.pods.owner_objects import OwnerObject
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects, terminated, whole_second
from integration.pods.pod_run import PodRun, eventually
from integration.pods.test_pods import LIMIT, MakeMember, assert_told_at_once, stand, wait_for_the_next_second
from integration.pods.test_pods_that_cannot_come import condition
from integration.pods.test_restricted_operator import RIGHTS
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import RendezvousStatus
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeOwner = Callable[..., OwnerObject]


@pytest.fixture
def owner(anybody: Connection, namespace: str) -> Iterator[MakeOwner]:
    """``owner("StatefulSet", "trainer", replicas=4)``: ends with the test."""
    made: list[OwnerObject] = []

    def make(kind: str, name: str, **spec: Any) -> OwnerObject:
        made.append(OwnerObject(anybody, namespace, kind, name, "run", **spec))
        return made[-1]

    yield make
    for one in made:
        one.delete()


def pod_of(owner: OwnerObject, index: int, pods: PodObjects, member: MakeMember, suffix: str = "") -> PodMember:
    """A member in the pod that the owner calls so; the slot is what the member guesses."""
    name = f"{owner.name}-{index}" + (suffix or "-x7k2p" if owner.kind == "Job" else "")
    identity = pods.run(name, "run", **owner.pod_meta(index))
    return member(identity.__class__(name, name, identity.pod_uid, identity.node_name, str(index), "127.0.0.1"))


def grown_old(status: RendezvousStatus) -> bool:
    """Whether the formation is older than the grace after which it would be called impossible."""
    forming = status.forming
    return forming is not None and (datetime.now(UTC) - forming.since).total_seconds() > 12


@pytest.mark.usefixtures("operator")
def test_the_first_round_waits_for_the_pods_that_an_ordered_stateful_set_has_yet_to_make(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner
) -> None:
    trainers = owner("StatefulSet", "trainer", replicas=4)
    run.create(minNodes=2, maxNodes=8)
    joins = [pod_of(trainers, index, pods, member).join() for index in range(2)]
    waiting = run.until(lambda now: now.forming and now.forming.arrived == 2 and now.forming.deadline, "both are here")
    assert waiting.forming is not None
    assert waiting.forming.waiting_for == ("StatefulSet trainer (2 more pods to be made)",)
    joins += [pod_of(trainers, index, pods, member).join() for index in (2, 3)]
    assert [join.result(LIMIT).rank for join in joins] == [0, 1, 2, 3]
    assert run.status.round == 1


@pytest.mark.usefixtures("operator")
def test_a_scaled_up_set_that_makes_its_pods_in_order_causes_one_round(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner
) -> None:
    trainers = owner("StatefulSet", "trainer", replicas=2)
    run.create(minNodes=2, maxNodes=8)
    first = stand(*(pod_of(trainers, index, pods, member) for index in range(2)))
    trainers.patch(replicas=4)
    late = [pod_of(trainers, 2, pods, member).join()]
    gathering = run.until(lambda now: now.forming and now.forming.arrived, "the first of them is here")
    assert gathering.forming is not None
    assert not gathering.forming.interrupts
    late.append(pod_of(trainers, 3, pods, member).join())
    assert_told_at_once(*first)
    again = [one.join() for one in first]
    assert [join.result(LIMIT).rank for join in (*again, *late)] == [0, 1, 2, 3]
    assert run.status.round == 2


@pytest.mark.usefixtures("operator")
def test_a_job_that_is_about_to_replace_a_pod_is_no_reason_for_an_alarm_and_one_that_is_too_small_is(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner
) -> None:
    job = owner("Job", "trainer", completions=2, parallelism=2)
    run.create(minNodes=2, maxNodes=2)
    members = [pod_of(job, index, pods, member) for index in range(2)]
    survivor, dead = stand(*members)
    dead.fall_silent()
    pods.delete("trainer-1-x7k2p", grace_seconds=0)
    assert_told_at_once(survivor)
    survivor.join()
    assert not condition(run.until(grown_old, "the grace is over", 60), "Stalled")
    assert run.events("Stalled") == []
    job.patch(parallelism=1)
    pods.create("trainer-1-abcde", "run", **job.pod_meta(1))
    pods.delete("trainer-1-abcde", grace_seconds=0)  # something about its pods changes
    stalled = run.until(lambda now: condition(now, "Stalled"), "it is too small now", 60)
    assert "no more are made (Job trainer: parallelism 1)" in condition(stalled, "Stalled")


@pytest.mark.usefixtures("operator")
def test_bounds_that_the_owner_does_not_fit_are_named_and_the_condition_goes_with_the_mistake(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner, anybody: Connection
) -> None:
    trainers = owner("StatefulSet", "trainer", replicas=2)
    run.create(minNodes=3, maxNodes=4)
    joins = [pod_of(trainers, index, pods, member).join() for index in range(2)]
    wrong = run.until(lambda now: condition(now, "SizeMismatch"), "it is named", 60)
    assert condition(wrong, "SizeMismatch").startswith("minNodes is 3, but there are never more than 2 pods")
    run.edit(minNodes=2)
    assert sorted(join.result(LIMIT).rank for join in joins) == [0, 1]
    run.until(lambda now: not condition(now, "SizeMismatch"), "the condition is over")


@pytest.mark.usefixtures("operator")
def test_two_jobs_in_one_rendezvous_have_slots_of_their_own_and_a_replacement_finds_its_rank(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner
) -> None:
    leader = owner("Job", "leader", completions=1, parallelism=1)
    workers = owner("Job", "workers", completions=2, parallelism=2)
    run.create(minNodes=3, maxNodes=3)
    first, second, third = stand(
        pod_of(leader, 0, pods, member), pod_of(workers, 0, pods, member), pod_of(workers, 1, pods, member)
    )
    assert run.status.slots == ("leader/0", "workers/0", "workers/1")
    for dead in (first, second):
        dead.fall_silent()
        pods.delete(dead.identity.pod_name, grace_seconds=0)
    assert_told_at_once(third)
    again = [pod_of(workers, 0, pods, member, "-bbbbb"), pod_of(leader, 0, pods, member, "-ccccc")]
    stand(third, *again)
    status = run.status
    assert status.slots == ("leader/0", "workers/0", "workers/1")
    assert status.ranks == (again[1].name, again[0].name, third.name)
    assert not condition(status, "SlotsShared")


@pytest.mark.usefixtures("operator")
def test_a_suspended_job_is_named_although_its_pods_are_gone(
    run: PodRun, pods: PodObjects, member: MakeMember, owner: MakeOwner
) -> None:
    job = owner("Job", "trainer", completions=2, parallelism=2)
    run.create(minNodes=2, maxNodes=2, heartbeatSeconds=1)
    members = stand(*(pod_of(job, index, pods, member) for index in range(2)))
    job.patch(suspend=True)
    for one in members:
        one.fall_silent()
        pods.delete(one.identity.pod_name, grace_seconds=0)
    stalled = run.until(lambda now: "suspended" in condition(now, "Stalled"), "it is named", 90)
    assert condition(stalled, "Stalled").endswith("Job trainer is suspended: resume it.")


@pytest.mark.usefixtures("operator")
def test_quarantine_leaves_out_the_worker_that_died_and_not_the_master_with_the_same_number(
    run: PodRun, pods: PodObjects, member: MakeMember
) -> None:
    """As the pods of a PyTorchJob are called; issue 10, fault 3."""
    run.create(
        minNodes=2,
        maxNodes=3,
        failurePolicy={"quarantine": {"losses": 1, "windowSeconds": 600}},
    )
    names = ("job-master-0", "job-worker-0", "job-worker-1")
    master, dead, other = (member(pods.run(name, "run", f"node-of-{name}")) for name in names)
    assert stand(master, dead, other) == [master, dead, other]
    dead.fall_silent()
    wait_for_the_next_second()
    pods.set_container("job-worker-0", terminated(whole_second()), phase="Failed")
    assert_told_at_once(master, other)
    assert stand(master, other) == [master, other]
    places = {place.place for place in run.status.quarantined}
    assert places == {"slot/job-worker/0", "node/node-of-job-worker-0"}


@pytest.mark.usefixtures("operator")
def test_two_living_members_with_one_slot_are_named(run: PodRun, pods: PodObjects, member: MakeMember) -> None:
    run.create(minNodes=2, maxNodes=2, heartbeatSeconds=1)
    members = []
    for name in ("one", "two"):
        identity = pods.run(name, "run")
        members.append(member(identity.__class__(name, name, identity.pod_uid, "worker-1", "same", "127.0.0.1")))
    stand(*members)
    named = condition(run.until(lambda now: condition(now, "SlotsShared"), "they are named", 60), "SlotsShared")
    assert all(one.name in named for one in members)
    assert "(slot same)" in named


def test_without_the_right_to_read_owners_rounds_form_as_before_and_one_line_says_so(
    run: PodRun,
    pods: PodObjects,
    member: MakeMember,
    owner: MakeOwner,
    kubeconfig_for: Callable[..., Path],
    namespace: str,
    tmp_path: Path,
) -> None:
    log = tmp_path / "operator.log"
    pods_too = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}
    kubeconfig = kubeconfig_for("operator", *RIGHTS, pods_too)
    with OperatorProcess(kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run.create(minNodes=2, maxNodes=4)
        trainers = owner("StatefulSet", "trainer", replicas=4)
        first = stand(*(pod_of(trainers, index, pods, member) for index in range(2)))
        late = pod_of(trainers, 2, pods, member).join()
        assert_told_at_once(*first)
        assert sorted(join.result(LIMIT).rank for join in (*(one.join() for one in first), late)) == [0, 1, 2]
        sentence = "What makes pods, if it is a StatefulSet, cannot be read"
        eventually(lambda: sentence in log.read_text(), sentence)
        assert log.read_text().count(sentence) == 1
        assert operator.restarts == 0
        run.close()


def test_an_api_that_is_not_installed_costs_one_line_and_one_request(
    run: PodRun,
    pods: PodObjects,
    member: MakeMember,
    cluster: Cluster,
    kubectl: Kubectl,
    namespace: str,
    tmp_path: Path,
) -> None:
    # The tests of the examples install it.
    kubectl("delete", "crd", "leaderworkersets.leaderworkerset.x-k8s.io", "--ignore-not-found")
    log = tmp_path / "operator.log"
    with OperatorProcess(cluster.kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run.create(minNodes=2, maxNodes=4)
        labels = {"leaderworkerset.sigs.k8s.io/name": "absent"}
        first = stand(*(member(pods.run(f"trainer-{n}", "run", labels=labels)) for n in range(2)))
        late = member(pods.run("trainer-2", "run", labels=labels)).join()
        assert_told_at_once(*first)
        assert sorted(join.result(LIMIT).rank for join in (*(one.join() for one in first), late)) == [0, 1, 2]
        sentence = "What makes pods, if it is a LeaderWorkerSet, cannot be read"
        eventually(lambda: sentence in log.read_text(), sentence)
        assert log.read_text().count("LeaderWorkerSet") == 1
        assert operator.restarts == 0
        run.close()
