"""When a round is formed anew, when it is complete, and who is in it."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import LateJoiners, RendezvousStatus, State
from kube_rendezvous_core import ObservedMember, decide
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS, WorldSizes
from unit.core.builders import (
    NOW,
    at,
    crowd,
    forming_reason,
    outcome,
    rendezvous,
    round_of,
    seen,
    stands,
    then,
    told,
)


@pytest.mark.parametrize(
    ("minimum", "maximum", "unit", "required", "full"),
    [(2, 4, 1, 2, 4), (3, 8, 2, 4, 8), (1, 7, 3, 3, 6), (4, 4, 4, 4, 4)],
)
def test_required_and_full_size_are_multiples_of_node_unit(
    minimum: int, maximum: int, unit: int, required: int, full: int
) -> None:
    sizes = WorldSizes.of(rendezvous(min_nodes=minimum, max_nodes=maximum, node_unit=unit).spec)
    assert (sizes.required, sizes.full) == (required, full)


@pytest.mark.parametrize(("nodes", "size"), [(0, 0), (3, 0), (4, 4), (5, 4), (6, 6), (7, 6), (99, 8)])
def test_the_largest_world_is_the_largest_multiple_of_node_unit_within_the_bounds(nodes: int, size: int) -> None:
    assert WorldSizes.of(rendezvous(min_nodes=3, max_nodes=9, node_unit=2).spec).largest(nodes) == size


# Triggers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param(crowd("a b c"), None, id="nothing happened"),
        pytest.param([*crowd("a b"), seen("c", silence=15)], "HeartbeatLost", id="a ranked member is silent"),
        pytest.param([*crowd("a b"), seen("c", leaving=True)], "MemberLeft", id="a ranked member left"),
        pytest.param([*crowd("a b"), seen("c", deleted=True)], "MemberDeleted", id="a ranked member was deleted"),
        pytest.param(crowd("a b"), "MemberDeleted", id="a ranked member's object is not there"),
        pytest.param([*crowd("a b"), seen("c", after_round=3)], "MemberRestarted", id="a ranked member waits again"),
        pytest.param([*crowd("a b"), seen("c", after_round=2)], None, id="it waited for the round that stands"),
        pytest.param([*crowd("a b c"), seen("spare", silence=15)], None, id="a spare is silent"),
        pytest.param([*crowd("a b c"), seen("spare", leaving=True)], None, id="a spare left"),
    ],
)
def test_a_round_is_formed_anew_when_a_ranked_member_is_lost_or_waits_again(
    members: list[ObservedMember], reason: str | None
) -> None:
    assert forming_reason(outcome(stands("a b c", max_nodes=3), members)) == reason


def test_a_first_round_is_formed_when_none_exists_yet() -> None:
    status = outcome(rendezvous(), [])
    assert status.forming is not None
    assert (status.forming.reason, status.forming.round, status.state) == ("FirstRound", 1, State.WAITING)


def test_a_round_is_formed_anew_when_the_spec_no_longer_allows_its_size() -> None:
    status = outcome(stands("a b c d", max_nodes=3), crowd("a b c d"))
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts) == ("SpecChanged", True)


def test_once_told_always_formed_even_if_the_lost_member_is_heard_again() -> None:
    status = outcome(stands("a b c", status={"forming": told()}), crowd("a b c"))
    assert forming_reason(status) == "HeartbeatLost"


# Growth -----------------------------------------------------------------------------------------------------------


def test_growth_gathers_without_interrupting_the_round_that_goes_on() -> None:
    status = outcome(stands("a b"), crowd("a b late"))
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts) == ("Growth", False)
    assert (status.forming.deadline, status.round, status.standby) == (at(30), 3, 1)


def test_everybody_is_told_when_the_last_call_of_growth_ends() -> None:
    first = decide(stands("a b"), crowd("a b late"), NOW)
    assert first.wake_after is not None
    assert first.wake_after <= 30
    status = outcome(then(stands("a b"), first), crowd("a b late"), 30)
    assert status.forming is not None
    assert (status.forming.interrupts, status.state, status.round) == (True, State.REFORMING, 3)


def test_nobody_is_told_to_stop_for_newcomers_before_a_consistent_read_has_shown_them() -> None:
    gathers = decide(stands("a b"), crowd("a b late"), NOW)
    tells = decide(then(stands("a b"), gathers), crowd("a b late"), at(30))
    goes_on = decide(then(stands("a b"), tells), crowd("a b late"), at(31))
    assert (gathers.doubtful, tells.doubtful, goes_on.doubtful) == (False, True, False)


def test_everybody_is_told_at_once_when_the_newcomers_fill_the_world() -> None:
    status = outcome(stands("a b"), crowd("a b c d"))
    assert status.forming is not None
    assert status.forming.interrupts


def test_growth_is_forgotten_when_the_newcomer_goes_while_they_gather() -> None:
    gathering = then(stands("a b"), decide(stands("a b"), crowd("a b late"), NOW))
    assert outcome(gathering, crowd("a b"), 10).forming is None


def test_a_loss_while_newcomers_gather_interrupts_at_once() -> None:
    gathering = then(stands("a b"), decide(stands("a b"), crowd("a b late"), NOW))
    status = outcome(gathering, [seen("a"), seen("b", silence=15), seen("late")], 10)
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts, status.forming.since) == ("HeartbeatLost", True, at(10))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"late_joiners": LateJoiners.WAIT}, "Wait takes them in at the next round"),
        ({"max_nodes": 2}, "the world is full"),
        ({"max_nodes": 6, "node_unit": 2}, "one more does not make the next multiple of nodeUnit"),
    ],
)
def test_a_newcomer_that_cannot_make_the_world_grow_is_on_standby(spec: dict[str, Any], why: str) -> None:
    status = outcome(stands("a b", **spec), crowd("a b late"))
    assert (status.forming, status.standby, status.state) == (None, 1, State.ACTIVE), why


def test_a_newcomer_that_waited_is_taken_in_at_the_next_round() -> None:
    before = stands("a b c", late_joiners=LateJoiners.WAIT)
    members = [*crowd("a b", after_round=3), seen("c", leaving=True), seen("late")]
    assert outcome(before, members).ranks == ("a", "b", "late")


# Completion -------------------------------------------------------------------------------------------------------


def test_a_round_is_complete_at_once_when_max_nodes_wait() -> None:
    status = outcome(rendezvous(), crowd("a b c d"))
    assert (status.round, status.ranks, status.forming) == (1, ("a", "b", "c", "d"), None)


def test_the_first_round_waits_for_min_nodes_without_a_deadline() -> None:
    status = outcome(rendezvous(), crowd("a"))
    assert status.forming is not None
    assert (status.forming.deadline, status.forming.arrived, status.forming.required) == (None, 1, 2)


def test_last_call_runs_from_the_moment_min_nodes_are_reached() -> None:
    waiting = then(rendezvous(), decide(rendezvous(), crowd("a"), NOW))
    status = outcome(waiting, crowd("a b"), 50)
    assert status.forming is not None
    assert (status.forming.deadline, status.state, status.round) == (at(80), State.LAST_CALL, 0)


def test_the_round_is_published_when_last_call_ends() -> None:
    calling = then(rendezvous(), decide(rendezvous(), crowd("a b"), NOW))
    assert outcome(calling, crowd("a b c"), 29.9).round == 0
    assert outcome(calling, crowd("a b c"), 30).ranks == ("a", "b", "c")


def test_an_operator_restart_does_not_extend_last_call() -> None:
    calling = then(rendezvous(), decide(rendezvous(), crowd("a b"), NOW))
    again = decide(calling, crowd("a b"), at(20)).status
    assert again.forming is not None
    assert again.forming.deadline == at(30)


def test_last_call_starts_again_when_too_few_are_left_and_enough_come_back() -> None:
    calling = then(rendezvous(), decide(rendezvous(), crowd("a b"), NOW))
    alone = then(calling, decide(calling, crowd("a"), at(10)))
    assert alone.status.forming is not None
    assert alone.status.forming.deadline is None
    status = outcome(alone, crowd("a b"), 20)
    assert status.forming is not None
    assert status.forming.deadline == at(50)


def test_a_round_is_complete_at_once_when_every_living_member_of_the_old_one_has_arrived() -> None:
    before = stands("a b c", status={"forming": told()})
    assert outcome(before, crowd("a b", after_round=3)).ranks == ("a", "b")


def test_a_loss_and_the_arrival_of_all_others_make_one_write() -> None:
    status = outcome(stands("a b c"), [*crowd("a b", after_round=3), seen("c", leaving=True)])
    assert (status.round, status.ranks, status.history[0].reason) == (4, ("a", "b"), "MemberLeft")


def test_last_call_waits_for_a_living_member_of_the_old_round() -> None:
    before = stands("a b c d", status={"forming": told()})
    status = outcome(before, [*crowd("a b", after_round=3), seen("c")])
    assert status.forming is not None
    assert (status.round, status.forming.deadline, status.forming.waiting_for) == (3, at(30), ("c",))


def test_with_nobody_of_the_old_round_alive_last_call_runs() -> None:
    status = outcome(stands("a b", status={"forming": told()}), crowd("x y"))
    assert status.forming is not None
    assert (status.round, status.forming.deadline) == (3, at(30))


@pytest.mark.parametrize(("waiting", "size"), [("a b c d", 4), ("a b c d e", 4), ("a b c d e f", 6)])
def test_the_world_size_is_a_multiple_of_node_unit_and_the_rest_is_on_standby(waiting: str, size: int) -> None:
    before = rendezvous(min_nodes=4, max_nodes=6, node_unit=2, last_call_seconds=0)
    status = outcome(before, crowd(waiting))
    assert (status.world_size, status.standby) == (size, len(waiting.split()) - size)


@pytest.mark.parametrize("names", ["a b", "a b c", "a b c d"])
def test_a_spec_that_no_size_satisfies_never_forms_a_round(names: str) -> None:
    status = outcome(rendezvous(min_nodes=3, max_nodes=3, node_unit=2, last_call_seconds=0), crowd(names))
    assert (status.round, status.ranks) == (0, ())


# Who is in it -----------------------------------------------------------------------------------------------------


def test_one_node_too_many_is_on_standby() -> None:
    status = outcome(rendezvous(), crowd("a b c d e"))
    assert (status.ranks, status.standby, status.forming) == (("a", "b", "c", "d"), 1, None)


def test_who_came_first_has_a_place_before_who_came_later() -> None:
    members = [seen("a", created=at(5)), *crowd("b c d e")]
    assert set(outcome(rendezvous(), members).ranks) == {"b", "c", "d", "e"}


def _two_running_one_lost_two_spares() -> RendezvousStatus:
    return round_of("a b c d", forming=told())


def test_a_spare_takes_no_place_while_old_members_may_still_arrive() -> None:
    before = rendezvous(_two_running_one_lost_two_spares())
    members = [*crowd("a b", after_round=3), seen("c"), *crowd("x y")]
    status = outcome(before, members)
    assert status.forming is not None
    assert (status.round, status.forming.deadline) == (3, at(30)), "c has first claim, so four are not sure of a place"


def test_a_spare_takes_the_place_of_the_lost_at_once_when_the_old_members_are_there() -> None:
    before = rendezvous(_two_running_one_lost_two_spares())
    assert set(outcome(before, [*crowd("a b c", after_round=3), *crowd("x y")]).ranks) == {"a", "b", "c", "x"}


def test_a_member_that_claims_a_round_that_was_never_published_starts_no_round() -> None:
    before = stands("a b", max_nodes=2)
    assert outcome(before, [seen("a"), seen("b", after_round=99)]).forming is None


def test_old_members_have_time_to_stop_however_short_last_call_is() -> None:
    """Newcomers alone must not make the round that throws out those who are told in the same moment."""
    before = stands("a b", last_call_seconds=0, min_nodes=2, max_nodes=4)
    telling = decide(before, [*crowd("a b"), *crowd("x y")], NOW)
    assert telling.status.forming is not None
    assert (telling.status.round, telling.status.forming.interrupts) == (3, True)
    later = then(before, telling)
    assert outcome(later, [*crowd("a b"), *crowd("x y")], REJOIN_SECONDS - 1).round == 3
    assert set(outcome(later, [*crowd("a b", after_round=3), *crowd("x y")], 5).ranks) == {"a", "b", "x", "y"}
    assert set(outcome(later, [*crowd("a b"), *crowd("x y")], REJOIN_SECONDS).ranks) == {"x", "y"}


def test_a_spare_takes_the_place_of_an_old_member_when_last_call_ends() -> None:
    before = rendezvous(replace(_two_running_one_lost_two_spares(), forming=told(deadline=at(30))))
    decision = decide(before, [*crowd("a b", after_round=3), seen("c"), *crowd("x y")], at(30))
    assert set(decision.status.ranks) == {"a", "b", "x", "y"}
    assert [(e.member.name, e.reason) for e in decision.expel_first] == [("c", "NotArrived")]


def test_the_time_to_stop_counts_no_longer_when_those_who_should_stop_are_lost() -> None:
    before = stands("a b", last_call_seconds=3, status={"forming": told(since=NOW)})
    waiting = then(before, decide(before, crowd("a b x y"), NOW))
    assert waiting.status.forming is not None
    assert waiting.status.forming.deadline == at(REJOIN_SECONDS)
    lost = [seen("a", leaving=True), seen("b", leaving=True), *crowd("x y")]
    alone = then(waiting, decide(waiting, lost, at(10)))
    assert alone.status.forming is not None
    assert alone.status.forming.deadline == at(13)
    assert outcome(alone, crowd("x y"), 13).ranks == ("x", "y")


def test_when_last_call_ends_old_members_that_have_arrived_go_before_every_newcomer() -> None:
    before = rendezvous(round_of("a b c d", forming=told(deadline=at(30))), max_nodes=3)
    members = [*crowd("b d", after_round=3), *crowd("a c"), *crowd("x y z")]
    assert set(outcome(before, members, 30).ranks) == {"b", "d", "x"}


def test_a_newcomer_in_the_slot_of_the_lost_goes_before_an_older_spare() -> None:
    before = stands("a b c d", status={"slots": ("0", "1", "2", "3"), "forming": told()})
    members = [
        *(seen(n, after_round=3, slot=s) for n, s in zip("abc", "012", strict=True)),
        seen("spare", slot="9"),
        seen("heir", slot="3", created=at(20)),
    ]
    assert outcome(before, members).ranks == ("a", "b", "c", "heir")
