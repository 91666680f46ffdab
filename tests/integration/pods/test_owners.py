"""What makes pods is read when a decision rests on it, on the real API server."""

from datetime import UTC, datetime

import pytest

from integration.pods.owner_objects import MakeOwner, pod_of
from integration.pods.pod_objects import PodObjects, terminated, whole_second
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import LIMIT, MakeMember, assert_told_at_once, stand, wait_for_the_next_second
from integration.pods.test_pods_that_cannot_come import condition
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import RendezvousStatus

pytestmark = pytest.mark.usefixtures("operator")


def grown_old(status: RendezvousStatus) -> bool:
    """Whether the formation is older than the grace after which it would be called impossible."""
    forming = status.forming
    return forming is not None and (datetime.now(UTC) - forming.since).total_seconds() > 12


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
