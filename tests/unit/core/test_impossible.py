"""A round for which too few nodes can ever come is reported at once, with what to do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, Rendezvous
from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine, QuarantinedPlace
from kube_rendezvous_core import Decision, ObservedMember, ObservedPod, Surroundings, decide
from unit.core.builders import NOW, at, crowd, rendezvous, seen, stands, then

Pods = Sequence[ObservedPod]


def pods(names: str, phase: str = "Pending", **fields: Any) -> list[ObservedPod]:
    return [ObservedPod(name, f"pod-of-{name}", phase, **fields) for name in names.split()]


def joined(names: str, **fields: Any) -> list[ObservedMember]:
    return [seen(name, pod_uid=f"pod-of-{name}", **fields) for name in names.split()]


def decided(before: Rendezvous, members: Sequence[ObservedMember], labelled: Pods, seconds: float) -> Decision:
    return decide(before, members, at(seconds), surroundings=Surroundings(pods={pod.uid: pod for pod in labelled}))


def after(seconds: float, members: Sequence[ObservedMember], labelled: Pods, **spec: Any) -> Decision:
    """What is decided so many seconds after the forming of the first round began; three nodes are required."""
    before = rendezvous(**({"min_nodes": 3} | spec))
    return decided(then(before, decided(before, members, labelled, 0)), members, labelled, seconds)


def stalled(decision: Decision) -> Condition:
    return next(c for c in decision.status.conditions if c.type == "Stalled")


def is_impossible(decision: Decision) -> bool:
    condition = stalled(decision)
    return (condition.status, condition.reason) == ("True", "Impossible")


@pytest.mark.parametrize(
    ("members", "labelled", "impossible"),
    [
        pytest.param([], pods("a b"), True, id="too few pods"),
        pytest.param(joined("a b"), pods("a b", "Running"), True, id="all of them have joined"),
        pytest.param(joined("a"), pods("a b c", "Running"), False, id="as many pods as are required"),
        pytest.param(crowd("x"), pods("a b"), False, id="a member without a labelled pod counts"),
        pytest.param([], [*pods("a b"), *pods("c", "Failed")], True, id="one has failed"),
        pytest.param([], [*pods("a b"), *pods("c", "Succeeded")], True, id="one has finished"),
        pytest.param([], [*pods("a b"), *pods("c", deleting=True)], True, id="one is being deleted"),
        pytest.param([], [*pods("a b"), *pods("c", disruption="Preempted")], True, id="one is to be evicted"),
        pytest.param([], pods("a b c", holdup="ImagePullBackOff"), False, id="one that is held up may still come"),
        pytest.param(
            [seen("p1", pod_uid="pod-of-a", slot="0"), seen("p2", pod_uid="pod-of-a", slot="1")],
            pods("a b", "Running"),
            False,
            id="one pod with two members",
        ),
        pytest.param(crowd("x"), [], False, id="with no pod labelled nobody knows who may come"),
    ],
)
def test_it_is_impossible_when_fewer_can_take_part_than_are_required(
    members: list[ObservedMember], labelled: list[ObservedPod], impossible: bool
) -> None:
    assert is_impossible(after(10, members, labelled)) is impossible


def test_the_pods_of_a_job_have_time_to_appear_and_then_it_is_looked_at_again() -> None:
    early = after(4, [], pods("a b"))
    assert stalled(early).status == "False"
    assert early.wake_after == 6
    assert after(12, [], pods("a b")).wake_after == 18, "for what else is to be said after half a minute"


def test_without_labelled_pods_it_wakes_as_before() -> None:
    assert after(4, [], []).wake_after == 26


def test_the_message_has_the_numbers_and_what_to_do() -> None:
    condition = stalled(after(10, joined("a"), pods("a b", "Running")))
    assert condition.message == (
        "Round 1 needs 3 nodes, but only 2 can ever take part: 1 have joined, and of 2 live pods labelled "
        "rendezvous.dev/name=run 1 have not; raise the replicas (of a Job: completions and parallelism), or lower "
        "spec.minNodes."
    )


def test_it_is_announced_once() -> None:
    first = after(10, [], pods("a b"))
    assert [(a.reason, a.message) for a in first.announcements] == [("Stalled", stalled(first).message)]
    later = decided(then(rendezvous(min_nodes=3), first), [], pods("a b"), 40)
    assert later.announcements == ()
    assert is_impossible(later)


def test_it_is_over_when_one_more_pod_appears() -> None:
    first = after(10, [], pods("a b"))
    later = decided(then(rendezvous(min_nodes=3), first), [], pods("a b c"), 12)
    assert stalled(later).status == "False"
    assert stalled(decided(then(rendezvous(min_nodes=3), first), [], pods("a b c"), 31)).reason == "NotEnoughMembers"


def test_node_unit_counts() -> None:
    assert is_impossible(after(10, [], pods("a b c"), min_nodes=3, max_nodes=4, node_unit=2))


def test_a_member_whose_node_is_drained_does_not_count() -> None:
    before = stands("a b", min_nodes=2, max_nodes=2)
    leaving = [*pods("a", "Running"), *pods("b", "Running", deleting=True)]
    first = then(before, decided(before, joined("a b"), leaving, 0))
    assert is_impossible(decided(first, joined("a b", after_round=3), leaving, 10))


def test_members_at_quarantined_places_do_not_count_and_are_told_apart() -> None:
    policy = FailurePolicy(quarantine=Quarantine(2, 600))
    before = rendezvous(min_nodes=3, failure_policy=policy)
    before = replace(before, status=replace(before.status, quarantined=(QuarantinedPlace("slot/9", NOW, ""),)))
    members = [*joined("a b"), *joined("c", slot="9")]
    first = then(before, decided(before, members, pods("a b c", "Running"), 0))
    decision = decided(first, members, pods("a b c", "Running"), 10)
    assert is_impossible(decision)
    assert "only 2 can ever take part: 3 have joined, 1 of them at quarantined places" in stalled(decision).message


def test_a_round_that_stands_is_not_impossible() -> None:
    assert stalled(decided(stands("a b"), joined("a b"), pods("a"), 60)).status == "False"
