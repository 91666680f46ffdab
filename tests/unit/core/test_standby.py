"""Spares: who stands by, in which order, and who is one too many."""

import pytest

from kube_rendezvous.resources import LateJoiners
from kube_rendezvous_core import decide
from kube_rendezvous_core.formation.standby import SPARES_NAMED, SURPLUS_NAMED, Standby, settle_standby
from unit.core.builders import NOW, at, crowd, member, outcome, rendezvous, seen, stands, then, told


def settled(names: str, free_places: int = 0, max_spares: int | None = None, interrupted: bool = False) -> Standby:
    return settle_standby([member(name) for name in names.split()], free_places, max_spares, interrupted)


@pytest.mark.parametrize(
    ("names", "free_places", "max_spares", "spares", "surplus"),
    [
        pytest.param("", 0, 0, "", "", id="nobody without a rank"),
        pytest.param("a b c", 0, None, "a b c", "", id="no bound"),
        pytest.param("a b", 0, 2, "a b", "", id="as many as are allowed"),
        pytest.param("a b c d", 0, 2, "a b", "c d", id="the last are too many"),
        pytest.param("a", 0, 0, "", "a", id="no spare is wanted"),
        pytest.param("a b", 2, 0, "a b", "", id="each could still get a place"),
        pytest.param("a b c d", 1, 2, "a b c", "d", id="a place, two spares, and one too many"),
    ],
)
def test_spares_are_kept_in_order_up_to_the_bound_besides_those_that_could_get_a_place(
    names: str, free_places: int, max_spares: int | None, spares: str, surplus: str
) -> None:
    standby = settled(names, free_places, max_spares)
    assert standby == Standby(len(names.split()), tuple(spares.split()), tuple(surplus.split()))


def test_nobody_is_surplus_while_a_round_is_being_formed() -> None:
    assert settled("a b", max_spares=0, interrupted=True) == Standby(2, ("a", "b"))


def test_no_list_is_longer_than_the_schema_allows_but_all_are_counted() -> None:
    many = settled(" ".join(f"n{i}" for i in range(300)), max_spares=150)
    assert (many.count, len(many.spares), len(many.surplus)) == (300, SPARES_NAMED, SURPLUS_NAMED)
    assert many.surplus[0] == "n150"


# Through decide ---------------------------------------------------------------------------------------------------


def test_spares_are_listed_in_the_order_in_which_they_get_a_place() -> None:
    before = stands("a b", max_nodes=2)
    members = [*crowd("a b"), seen("late", created=at(9)), seen("x", slot="10"), seen("y", slot="9")]
    status = outcome(before, members)
    assert (status.spares, status.standby, status.surplus) == (("y", "x", "late"), 3, ())
    without_a = outcome(before, members[1:])
    together = outcome(then(before, decide(before, members[1:], NOW)), [seen("b", after_round=3), *members[2:]])
    assert without_a.forming is not None
    assert together.ranks == ("y", "b"), "the first of the list"


def test_one_beyond_the_bound_is_surplus_and_one_that_has_just_come_is_that_one() -> None:
    before = stands("a b", max_nodes=2, max_spares=1)
    first = decide(before, crowd("a b s"), NOW)
    assert (first.status.spares, first.status.surplus) == (("s",), ())
    status = outcome(then(before, first), [*crowd("a b s"), seen("a-new-one", created=at(5))], 5)
    assert (status.spares, status.surplus, status.standby) == (("s",), ("a-new-one",), 2)


@pytest.mark.parametrize("late_joiners", LateJoiners)
def test_a_newcomer_for_whom_the_round_has_a_place_is_not_sent_home(late_joiners: LateJoiners) -> None:
    before = stands("a b", max_nodes=3, max_spares=0, late_joiners=late_joiners)
    status = outcome(before, [*crowd("a b"), seen("c"), seen("d", created=at(1))])
    assert "c" not in status.surplus


def test_only_who_is_beyond_free_places_and_spares_is_sent_home() -> None:
    before = stands("a b", max_nodes=3, max_spares=1, late_joiners=LateJoiners.WAIT)
    status = outcome(before, crowd("a b c d e"))
    assert (status.spares, status.surplus) == (("c", "d"), ("e",))


def test_nobody_is_sent_home_while_members_of_the_old_round_join_again() -> None:
    before = stands("a b", max_nodes=2, max_spares=0)
    status = outcome(before, crowd("b s t"))
    assert status.forming is not None
    assert (status.spares, status.surplus) == (("s", "t"), ())


def test_who_was_surplus_is_needed_again_when_a_member_is_lost() -> None:
    before = stands("a b", max_nodes=2, max_spares=0, status={"surplus": ("s",)})
    assert outcome(before, crowd("b s")).surplus == ()


def test_nobody_is_sent_home_before_there_was_a_round() -> None:
    status = outcome(rendezvous(max_nodes=3, max_spares=0), crowd("a b"))
    assert (status.round, status.surplus) == (0, ())


def test_the_first_round_sends_home_whom_it_has_no_place_for() -> None:
    status = outcome(rendezvous(max_nodes=2, max_spares=0), crowd("a b c"))
    assert (status.ranks, status.surplus) == (("a", "b"), ("c",))


def test_an_old_member_for_which_the_smaller_world_has_no_place_may_be_surplus() -> None:
    before = stands("a b c", max_nodes=2, max_spares=0, status={"forming": told()})
    assert outcome(before, crowd("a b c", after_round=3)).surplus == ("c",)


def test_who_is_sent_home_keeps_its_object_until_it_leaves_by_itself() -> None:
    decision = decide(stands("a b", max_nodes=2, max_spares=0), crowd("a b s"), NOW)
    assert (decision.status.surplus, decision.expel_first, decision.announcements) == (("s",), (), ())


def test_a_closed_rendezvous_has_neither_spares_nor_surplus() -> None:
    status = outcome(stands("a b", max_nodes=2, max_spares=0, closed=True), crowd("a b s"))
    assert (status.standby, status.spares, status.surplus) == (0, (), ())
