"""A pod that comes and goes again and again costs the others few rounds, and a pod that fails for good next to none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous_core import ObservedMember, decide
from kube_rendezvous_core.policy.comings import COMES_AND_GOES, COMINGS_KEPT, record_comings, wait_seconds
from unit.core.builders import NOW, at, forming_reason, member, outcome, seen, stands, then, told

OFTEN = Coming("pod-x", "x-1", 5, NOW)  # waits for 20 s


def living(names: str, after_round: int = 2) -> list[ObservedMember]:
    return [seen(name, after_round=after_round, pod_uid=f"pod-{name}") for name in names.split()]


def coming(name: str = "x-2", **fields: object) -> ObservedMember:
    return seen(name, pod_uid="pod-x", **fields)


def run(comings: Sequence[Coming] = (OFTEN,), **spec: int) -> Rendezvous:
    """A round of a and b stands, in a rendezvous for one to four nodes without last call."""
    return stands("a b", status={"comings": tuple(comings)}, **{"min_nodes": 1, "last_call_seconds": 0, **spec})


def condition(status: RendezvousStatus) -> tuple[str, str] | None:
    return next(((c.status, c.message) for c in status.conditions if c.type == COMES_AND_GOES), None)


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 0), (2, 0), (3, 5), (4, 10), (5, 20), (8, 160), (9, 300), (99, 300)]
)
def test_the_first_times_cost_nothing_and_then_each_wait_is_twice_the_one_before(times: int, seconds: int) -> None:
    assert wait_seconds(times) == seconds


def test_a_pod_that_came_too_often_starts_no_growth_until_its_wait_is_over() -> None:
    before, members = run(), [*living("a b"), coming()]
    decision = decide(before, members, at(1))
    assert forming_reason(decision.status) is None
    assert decision.wake_after is not None
    assert decision.wake_after <= 19
    assert forming_reason(outcome(before, members, 20)) == "Growth"


def test_another_pod_grows_the_world_beside_it_and_it_is_not_taken_along() -> None:
    before = run()
    status = outcome(before, [*living("a b"), coming(), seen("y", pod_uid="pod-y")], 1)
    assert forming_reason(status) == "Growth"
    rejoined = [*living("a b", after_round=3), coming(), seen("y", pod_uid="pod-y")]
    assert outcome(replace(before, status=status), rejoined, 2).ranks == ("a", "b", "y")


def test_a_round_formed_for_another_reason_goes_without_it() -> None:
    before = stands(
        "a b", min_nodes=1, max_nodes=4, last_call_seconds=0, status={"comings": (OFTEN,), "forming": told()}
    )
    status = outcome(before, [*living("a b", after_round=3), coming()], 1)
    assert status.ranks == ("a", "b")


def test_what_no_round_can_do_without_is_taken_at_once() -> None:
    before = stands("a b", min_nodes=2, last_call_seconds=0, status={"comings": (OFTEN,), "forming": told()})
    assert outcome(before, [*living("a", after_round=3), coming()], 31).ranks == ("a", "x-2")


def test_a_ranked_member_that_joins_again_too_soon_is_gone_on_without() -> None:
    before = stands("a b x", min_nodes=2, last_call_seconds=0, status={"comings": (replace(OFTEN, member="x"),)})
    members = [*living("a b"), coming("x", after_round=3)]
    decision = decide(before, members, at(1))
    assert forming_reason(decision.status) == "MemberRestarted"
    after = outcome(then(before, decision), [*living("a b", after_round=3), coming("x", after_round=3)], 2)
    assert after.ranks == ("a", "b")


def came_just_now(name: str) -> Coming:
    return Coming(f"pod-{name}", name, 5, NOW)


@pytest.mark.parametrize("reason", ["Growth", "HeartbeatLost", "SpecChanged", "MemberRestarted"])
def test_one_that_stops_because_it_was_told_keeps_its_place_however_often_it_came(reason: str) -> None:
    """Else each growth would throw out the one that came last, which then makes the world grow, and so for ever."""
    forming = told(reason=reason, since=at(1))
    before = stands(
        "a b", min_nodes=2, last_call_seconds=0, status={"comings": (came_just_now("b"),), "forming": forming}
    )
    everybody = [*living("a b", after_round=3), seen("n", pod_uid="pod-n")]
    assert outcome(before, everybody, 2).ranks == ("a", "b", "n")


def test_two_that_came_too_often_grow_the_world_in_one_round() -> None:
    """As seen with three nodes of which two had come again and again: rounds of two, one after another, for nothing."""
    waited = Coming("pod-n", "n", 3, at(-5))
    before = stands("a b", min_nodes=2, max_nodes=3, status={"comings": (came_just_now("b"), waited)})
    members = [*living("a b"), seen("n", pod_uid="pod-n")]
    decision = decide(before, members, at(1))
    assert forming_reason(decision.status) == "Growth"
    one_back = [*living("a"), *living("b", after_round=3), seen("n", pod_uid="pod-n")]
    decision = decide(then(before, decision), one_back, at(2))
    assert decision.status.round == 3, "the other is waited for"
    everybody = [*living("a b", after_round=3), seen("n", pod_uid="pod-n")]
    assert outcome(then(before, decision), everybody, 3).ranks == ("a", "b", "n")


def test_who_waits_is_named_with_the_time_and_is_no_longer_when_it_is_over() -> None:
    before, members = run(), [*living("a b"), coming()]
    decision = decide(before, members, at(1))
    said = condition(decision.status)
    assert said is not None
    assert said[0] == "True"
    assert "x-2 until 12:00:20 UTC" in said[1]
    later = condition(outcome(then(before, decision), members, 21))
    assert later is not None
    assert later[0] == "False"


# What is counted ----------------------------------------------------------------------------------------------------


def test_a_newcomer_beside_a_running_round_counts_and_the_members_of_a_first_round_do_not() -> None:
    first = outcome(replace(run(), status=RendezvousStatus()), [*living("a b", after_round=0)], 31)
    assert first.comings == ()
    before = stands("a b", min_nodes=1, last_call_seconds=0, status={"forming": told(reason="Growth")})
    grown = outcome(before, [*living("a b", after_round=3), coming()], 1)
    assert grown.ranks == ("a", "b", "x-2")
    assert [(c.pod_uid, c.times) for c in grown.comings] == [("pod-x", 1)]


def test_joining_again_unasked_counts_once_however_long_the_round_takes() -> None:
    before = stands("a b x", min_nodes=1, last_call_seconds=0)
    one = decide(before, [*living("a b"), coming("x", after_round=3)], at(1))
    assert [(c.member, c.times) for c in one.status.comings] == [("x", 1)]
    two = decide(then(before, one), [*living("a", after_round=3), *living("b"), coming("x", after_round=3)], at(2))
    assert two.status.comings == one.status.comings
    three = decide(then(before, two), [*living("a b", after_round=3), coming("x", after_round=3)], at(3))
    assert three.status.round == 4
    assert three.status.comings == one.status.comings, "those that were told come because they were told"


def test_one_that_was_waited_for_in_vain_waits_longer_than_it_cost() -> None:
    before = stands("a b x", min_nodes=1, last_call_seconds=0, status={"forming": told()})
    status = outcome(before, [*living("a b", after_round=3), coming("x", after_round=2)], 31)
    assert status.ranks == ("a", "b")
    (counted,) = status.comings
    assert counted.times == 4
    again = record_comings(status.comings, [], [member("x-9", pod_uid="pod-x")], at(60))
    assert wait_seconds(again[0].times) > 60


def test_after_ten_minutes_in_peace_it_starts_anew() -> None:
    assert record_comings((OFTEN,), [member("x-2", pod_uid="pod-x")], [], at(601))[0].times == 1


def test_a_member_outside_a_pod_is_not_counted() -> None:
    assert record_comings((OFTEN,), [member("x-2")], [], at(1)) == (OFTEN,)


def test_many_that_come_once_do_not_make_one_that_comes_all_the_time_forgotten() -> None:
    crowd = [member(f"m{number}", pod_uid=f"pod-{number}") for number in range(100)]
    kept = record_comings((OFTEN,), crowd, [], at(1))
    assert len(kept) == COMINGS_KEPT
    assert kept[0] == OFTEN


def test_several_members_of_one_pod_that_come_together_count_once() -> None:
    agents = [member("x-2", pod_uid="pod-x", slot="0"), member("x-3", pod_uid="pod-x", slot="1")]
    assert [c.times for c in record_comings((), agents, [], NOW)] == [1]
