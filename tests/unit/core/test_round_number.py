"""The number of a round follows that of the last one, and of every round that one of its members knows of."""

from dataclasses import replace

from kube_rendezvous.resources import Forming
from kube_rendezvous_core.formation.round_number import MOST_FORGOTTEN, round_number
from unit.core.builders import NOW, member

FORMING = Forming(4, "Growth", "m", interrupts=True, since=NOW)
A, B = member("a"), member("b")


def test_it_is_one_more_than_the_last() -> None:
    assert round_number(FORMING, [A, B]) == 4
    assert round_number(FORMING, [replace(A, after_round=3), B]) == 4


def test_where_the_storage_was_set_back_it_is_one_more_than_what_a_member_knows_of() -> None:
    assert round_number(FORMING, [replace(A, after_round=7), replace(B, after_round=9)]) == 10
    assert round_number(FORMING, [replace(A, after_round=4)]) == 5


def test_who_claims_to_know_of_more_than_there_can_have_been_counts_for_nothing() -> None:
    assert round_number(FORMING, [replace(A, after_round=3 + MOST_FORGOTTEN), B]) == 4 + MOST_FORGOTTEN
    assert round_number(FORMING, [replace(A, after_round=4 + MOST_FORGOTTEN), replace(B, after_round=7)]) == 8
