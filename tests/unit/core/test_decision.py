"""`decide` as a whole: what is written, what is deleted before and after, what is announced, when to look again."""

from dataclasses import replace

import pytest

from kube_rendezvous_core import ObservedMember, Severity, decide
from kube_rendezvous_core.liveness.heartbeat import HeartbeatBudget
from unit.core.builders import NOW, OTHER_UID, at, crowd, outcome, rendezvous, seen, stands, then, told


def test_all_of_a_round_changes_in_one_status() -> None:
    members = [seen(name, slot=slot, port=port) for name, slot, port in (("b", "1", 2), ("a", "0", 1))]
    status = outcome(rendezvous(max_nodes=2), members)
    assert (status.round, status.ranks, status.slots, status.world_size) == (1, ("a", "b"), ("0", "1"), 2)
    assert status.bootstrap_store is not None
    store = status.bootstrap_store
    assert (store.member, store.address, store.port) == ("a", "a.example", 1)


def test_after_the_death_of_rank_0_the_store_is_with_the_new_rank_0() -> None:
    before = stands("a b c", status={"forming": told()})
    status = outcome(before, [seen("b", after_round=3, port=5001), seen("c", after_round=3, port=5002)])
    assert (status.round, status.ranks) == (4, ("c", "b"))
    assert status.bootstrap_store is not None
    assert (status.bootstrap_store.member, status.bootstrap_store.port) == ("c", 5002)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param("a", id="waiting"),
        pytest.param("a b", id="last call"),
        pytest.param("a b c d e", id="with a spare"),
    ],
)
def test_without_a_change_the_status_is_equal_to_the_old_one(names: str) -> None:
    first = decide(rendezvous(), crowd(names), NOW)
    again = decide(then(rendezvous(), first), crowd(names), at(5))
    assert again.status == first.status
    assert again.announcements == ()
    assert (again.expel_first, again.expel_after) == ((), ())


@pytest.mark.parametrize("expelled", ["c", "d"])
def test_without_a_change_the_status_stays_after_a_member_was_expelled(expelled: str) -> None:
    before = stands("a b c d", status={"forming": told(deadline=NOW)})
    others = crowd(" ".join(sorted({"a", "b", "c", "d"} - {expelled})), after_round=3)
    first = decide(before, [*others, seen(expelled)], NOW)
    assert (first.status.round, first.status.standby) == (4, 0)
    assert outcome(then(before, first), others, 1) == first.status


def test_an_old_member_that_is_not_in_the_new_round_is_deleted_before_the_status_is_written() -> None:
    before = stands("a b c", status={"forming": told(deadline=NOW)})
    decision = decide(before, [*crowd("a b", after_round=3), seen("c")], NOW)
    assert decision.status.ranks == ("a", "b")
    assert [(e.member.name, e.reason) for e in decision.expel_first] == [("c", "NotArrived")]
    assert decision.expel_first[0].why == "c had not joined again when the round was formed"  # should it fail
    assert decision.expel_after == ()


def test_a_crash_between_the_deletion_and_the_status_write_leads_to_the_same_round() -> None:
    before = stands("a b c", status={"forming": told(deadline=NOW)})
    first = decide(before, [*crowd("a b", after_round=3), seen("c")], NOW)
    second = decide(before, crowd("a b", after_round=3), NOW)
    assert (second.status.round, second.status.ranks) == (first.status.round, first.status.ranks)


def test_an_arrived_member_for_which_there_is_no_place_keeps_its_object_as_a_spare() -> None:
    before = stands("a b c", max_nodes=2, status={"forming": told()})
    decision = decide(before, crowd("a b c", after_round=3), NOW)
    assert (decision.status.ranks, decision.status.standby, decision.expel_first) == (("a", "b"), 1, ())


@pytest.mark.parametrize(
    ("observed", "reason", "doubtful"),
    [
        pytest.param(seen("b", silence=15), "HeartbeatLost", True, id="silence is not proof"),
        pytest.param(seen("b", leaving=True), "MemberLeft", False, id="a farewell is"),
        pytest.param(seen("b", rendezvous_uid=OTHER_UID), "OtherRendezvous", False, id="nothing rests on a stranger"),
        pytest.param(seen("b", rendezvous_uid=""), "OtherRendezvous", False, id="nor on one that never said"),
        pytest.param(seen("b", rendezvous_uid="", leaving=True), "MemberLeft", False, id="it found nothing to join"),
    ],
)
def test_a_lost_member_without_a_rank_and_a_stranger_lose_their_objects_when_there_is_time(
    observed: ObservedMember, reason: str, doubtful: bool
) -> None:
    decision = decide(rendezvous(), [*crowd("a"), observed], NOW)
    assert [(e.member.name, e.reason, e.doubtful) for e in decision.expel_beside] == [("b", reason, doubtful)]
    assert decision.doubtful is doubtful


def test_a_lost_member_with_a_rank_is_deleted_after_the_survivors_are_told() -> None:
    decision = decide(stands("a b c"), [*crowd("a b"), seen("c", leaving=True)], NOW)
    assert [(e.member.name, e.reason) for e in decision.expel_after] == [("c", "MemberLeft")]
    assert (decision.expel_first, decision.expel_beside) == ((), ())


def test_a_stranger_has_no_place_in_a_round() -> None:
    status = outcome(rendezvous(max_nodes=2), [seen("a"), seen("x", rendezvous_uid=OTHER_UID)])
    assert (status.round, status.standby) == (0, 0)


def test_a_loss_that_rests_on_an_absent_object_alone_is_looked_at_again_before_anybody_is_told() -> None:
    assert decide(stands("a b c"), crowd("a b"), NOW).doubtful_losses == ("c",)


def test_once_told_an_absent_object_needs_no_second_look() -> None:
    assert not decide(stands("a b c", status={"forming": told()}), crowd("a b"), NOW).doubtful


def test_no_round_is_published_without_a_member_of_which_only_the_absence_is_known() -> None:
    decision = decide(stands("a b c", status={"forming": told()}), crowd("a b", after_round=3), NOW)
    assert (decision.status.round, decision.doubtful_losses) == (4, ("c",))


def test_nobody_is_told_to_restart_without_a_reason_in_the_status() -> None:
    status = outcome(stands("a b c"), [*crowd("a b"), seen("c", silence=16)])
    assert status.forming is not None
    assert (status.forming.interrupts, status.forming.reason) == (True, "HeartbeatLost")
    assert status.forming.message == "c has sent no heartbeat for 16 s (limit 15 s)"


def test_a_shorter_heartbeat_interval_makes_nobody_lost_who_has_not_yet_been_told_of_it() -> None:
    before = stands("a b", max_nodes=2, status={"heartbeat_seconds": 30}, heartbeat_seconds=5)
    decision = decide(before, crowd("a b", silence=29), NOW)
    assert (decision.status.heartbeat_seconds, decision.status.forming, decision.expel_first) == (15, None, ())


def test_members_of_other_rendezvous_at_most_double_the_interval() -> None:
    assert decide(rendezvous(), crowd("a"), NOW, HeartbeatBudget(share=0.1)).status.heartbeat_seconds == 10
    assert decide(rendezvous(), crowd("a"), NOW, HeartbeatBudget(share=0.0)).status.heartbeat_seconds == 10


def test_strangers_make_nobodys_interval_longer() -> None:
    strangers = [seen(f"x{number}", rendezvous_uid=OTHER_UID) for number in range(900)]
    assert decide(rendezvous(), [seen("a"), *strangers], NOW).status.heartbeat_seconds == 5


def test_one_that_may_shrink_later_is_looked_at_then() -> None:
    before = stands("a b", status={"heartbeat_seconds": 30}, heartbeat_seconds=5)
    decision = decide(before, crowd("a b"), NOW, HeartbeatBudget(held_for=50.0))
    assert (decision.status.heartbeat_seconds, decision.wake_after) == (30, 10.0)


# Announcements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "reason", "severity"),
    [
        (seen("c", silence=15), "HeartbeatLost", Severity.WARNING),
        (seen("c", leaving=True), "MemberLeft", Severity.NORMAL),
        (seen("c", deleted=True), "MemberDeleted", Severity.WARNING),
    ],
)
def test_the_loss_of_a_ranked_member_is_announced(lost: ObservedMember, reason: str, severity: Severity) -> None:
    decision = decide(stands("a b c"), [*crowd("a b"), lost], NOW)
    assert [(a.reason, a.severity) for a in decision.announcements] == [(reason, severity)]


def test_the_loss_of_a_spare_is_not_announced() -> None:
    assert decide(stands("a b", max_nodes=2), [*crowd("a b"), seen("spare", silence=15)], NOW).announcements == ()


def test_a_loss_is_announced_once() -> None:
    first = decide(stands("a b c"), [*crowd("a b"), seen("c", silence=15)], NOW)
    assert decide(then(stands("a b c"), first), crowd("a b"), at(1)).announcements == ()


def test_a_loss_while_newcomers_gather_is_announced() -> None:
    gathering = then(stands("a b"), decide(stands("a b"), crowd("a b late"), NOW))
    assert [a.reason for a in decide(gathering, crowd("a late"), at(1)).announcements] == ["MemberDeleted"]


def test_a_new_round_is_announced_with_its_size_and_reason() -> None:
    announcement = decide(rendezvous(), crowd("a b c d"), NOW).announcements[-1]
    assert (announcement.reason, announcement.severity) == ("RoundFormed", Severity.NORMAL)
    assert announcement.message == "Round 1 stands with 4 nodes, rank 0 is a (FirstRound)"


# When to look again -----------------------------------------------------------------------------------------------


def test_it_wakes_when_the_first_member_would_be_silent_for_too_long() -> None:
    assert decide(stands("a b", max_nodes=2), [seen("a", silence=2), seen("b", silence=9)], NOW).wake_after == 6


def test_it_wakes_when_last_call_ends() -> None:
    before = rendezvous(last_call_seconds=4)
    first = decide(before, crowd("a b"), NOW)
    assert first.wake_after == 4
    assert decide(then(before, first), crowd("a b"), at(3)).wake_after == 1


def test_it_wakes_when_a_formation_would_be_stalled() -> None:
    assert decide(rendezvous(), [], NOW).wake_after == 30


def test_with_nobody_there_and_nothing_forming_only_a_change_wakes_it() -> None:
    before = rendezvous(closed=True)
    assert decide(then(before, decide(before, [], NOW)), [], at(1)).wake_after is None


def test_the_order_in_which_members_are_seen_does_not_matter() -> None:
    members = crowd("a b c d e f")
    assert outcome(rendezvous(), members) == outcome(rendezvous(), members[::-1])


def test_a_changed_spec_is_observed_even_if_it_changes_nothing_else() -> None:
    before = replace(stands("a b", max_nodes=2), generation=2)
    assert outcome(before, crowd("a b")).observed_generation == 2
