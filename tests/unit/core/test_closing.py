"""Closed by a person, closed by a member, opened again."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from kube_rendezvous.resources import Closed, Rendezvous, Reopen
from kube_rendezvous_core import ObservedMember, decide
from unit.core.builders import NOW, OTHER_UID, at, crowd, forming_reason, outcome, rendezvous, seen, stands, told


def closed_by_member(reopens: bool = False, **spec: Any) -> Rendezvous:
    closed = Closed("a", NOW, "ClosedByMember", "closed by a: done", reopens)
    return stands("a b", status={"closed": closed}, **spec)


def closed_by_person(**spec: Any) -> Rendezvous:
    return stands("a b", status={"closed": Closed("spec.closed", NOW, "ClosedBySpec", "closed")}, **spec)


FAREWELL: dict[str, Any] = {"leaving": True, "close_requested": True, "close_reason": "training succeeded"}


@pytest.mark.parametrize(
    "closer",
    [
        pytest.param(seen("a", close_requested=True), id="it asked and stays"),
        pytest.param(seen("a", **FAREWELL), id="it asked and leaves"),
        pytest.param(seen("a", deleted=True, **FAREWELL), id="it asked and its object is already gone"),
        pytest.param(seen("a", silence=99, close_requested=True), id="it asked and died"),
    ],
)
def test_a_member_closes_and_is_named(closer: ObservedMember) -> None:
    closed = outcome(stands("a b"), [closer, seen("b")]).closed
    assert closed is not None
    assert (closed.by, closed.reason, closed.at) == ("a", "ClosedByMember", NOW)


def test_a_member_that_shuts_down_after_success_does_not_make_the_others_restart() -> None:
    decision = decide(stands("a b c"), [seen("a", **FAREWELL), *crowd("b c")], NOW)
    status = decision.status
    assert (status.forming, status.round, status.ranks) == (None, 3, ("a", "b", "c"))
    assert status.closed is not None
    assert status.closed.message == "closed by a: training succeeded"
    assert [a.reason for a in decision.announcements] == ["Closed"]


def test_the_member_that_closes_is_deleted_only_after_its_request_is_on_record() -> None:
    decision = decide(stands("a b"), [seen("a", **FAREWELL), seen("b")], NOW)
    assert (decision.expel_first, [e.member.name for e in decision.expel_after]) == ((), ["a"])


def test_later_leavers_are_deleted_while_it_is_closed_and_change_nothing() -> None:
    decision = decide(closed_by_member(), [seen("b", **FAREWELL), seen("c")], NOW)
    assert [e.member.name for e in (*decision.expel_after, *decision.expel_beside)] == ["b"]
    assert (decision.status.closed, decision.announcements) == (closed_by_member().status.closed, ())


@pytest.mark.parametrize(
    "leaver",
    [
        pytest.param(seen("b", created=at(-5), **FAREWELL), id="it had a rank"),
        pytest.param(seen("x", created=at(-5), **FAREWELL), id="it was a spare"),
    ],
)
def test_a_leaver_that_is_still_there_when_a_new_run_opens_it_is_deleted_first_with_its_request(
    leaver: ObservedMember,
) -> None:
    decision = decide(closed_by_member(reopens=True), [leaver, seen("new", created=at(6))], at(60))
    assert decision.status.closed is None
    assert [e.member.name for e in decision.expel_first] == [leaver.member.name]
    assert (decision.expel_after, decision.expel_beside) == ((), ())


def test_who_had_a_rank_is_not_the_one_that_came_to_open_it_whatever_the_clocks_say() -> None:
    young = seen("b", created=at(30), **FAREWELL)
    decision = decide(closed_by_member(reopens=True), [young, seen("new", created=at(6))], at(60))
    assert decision.status.closed is None
    assert [e.member.name for e in decision.expel_first] == ["b"]


class TestLastWordsOfBeforeTheOpening:
    """Of one that is gone: a finalizer keeps its object, or a watch tells of it late, to whichever operator."""

    @staticmethod
    def opened(**status: Any) -> Rendezvous:
        return stands(
            "a b", status={"opened_after": 3, "conditions": outcome(stands("a b"), crowd("a b")).conditions} | status
        )

    @pytest.mark.parametrize(
        ("name", "created"),
        [
            pytest.param("a", at(5), id="it had a rank, whatever the clocks say"),
            pytest.param("x", at(-5), id="it came before the opening"),
        ],
    )
    def test_are_not_heard_until_a_round_stands(self, name: str, created: datetime) -> None:
        gone = seen(name, created=created, deleted=True, **FAREWELL)
        assert outcome(self.opened(), [gone, seen("new", created=at(6))]).closed is None

    def test_are_heard_of_who_came_after_it(self) -> None:
        gone = seen("x", created=at(5), deleted=True, **FAREWELL)
        closed = outcome(self.opened(), [gone, seen("new", created=at(6))]).closed
        assert closed is not None
        assert closed.by == "x"

    @pytest.mark.parametrize("opened_after", [0, 2], ids=["it was never closed", "a round stands since then"])
    def test_are_heard_of_the_standing_round(self, opened_after: int) -> None:
        gone = seen("a", created=at(-5), deleted=True, **FAREWELL)
        closed = outcome(self.opened(opened_after=opened_after), [gone, seen("b")]).closed
        assert closed is not None
        assert closed.by == "a"


def test_a_request_of_a_member_of_another_rendezvous_closes_nothing() -> None:
    assert (
        outcome(stands("a b"), [*crowd("a b"), seen("x", close_requested=True, rendezvous_uid=OTHER_UID)]).closed
        is None
    )


def test_no_round_is_formed_while_closed() -> None:
    status = outcome(closed_by_member(), [seen("a", silence=99), *crowd("b c d", after_round=3)])
    assert (status.forming, status.round, status.standby) == (None, 3, 0)


def test_closing_ends_a_formation() -> None:
    before = stands("a b", status={"forming": told()})
    assert outcome(before, [seen("a", **FAREWELL), seen("b")]).forming is None


def test_it_stays_closed_while_an_earlier_member_lives() -> None:
    closed = outcome(closed_by_member(), crowd("b new")).closed
    assert closed is not None
    assert not closed.reopens_on_join


def test_when_every_member_is_gone_the_next_one_to_join_opens_it_again() -> None:
    empty = outcome(closed_by_member(), [])
    assert empty.closed is not None
    assert empty.closed.reopens_on_join
    decision = decide(stands("a b", status={"closed": empty.closed}), crowd("new"), at(60))
    assert (decision.status.closed, forming_reason(decision.status)) == (None, "Reopened")
    assert "Reopened" in [a.reason for a in decision.announcements]


def test_who_came_to_open_it_and_asked_to_close_it_before_anybody_looked_is_heard() -> None:
    before = stands("a b", status={"closed": Closed("a", NOW, "ClosedByMember", "closed by a: done", True)})
    decision = decide(before, [seen("x", created=at(5), **FAREWELL), seen("y", created=at(6))], at(60))
    assert decision.status.closed is not None
    assert decision.status.closed.by == "x"
    of_old = [seen("x", created=at(-5), **FAREWELL), seen("y", created=at(6))]
    assert decide(before, of_old, at(60)).status.closed is None, "who left with the closing asked for that one"


def test_rounds_go_on_counting_after_it_opened_again() -> None:
    status = outcome(closed_by_member(reopens=True, max_nodes=2), crowd("x y"))
    assert (status.closed, status.round, status.ranks) == (None, 4, ("x", "y"))


def test_reopen_never_keeps_it_closed() -> None:
    for reopens in (False, True):
        before = closed_by_member(reopens, reopen=Reopen.NEVER)
        for members in ([], crowd("new")):
            closed = outcome(before, members).closed
            assert closed is not None
            assert not closed.reopens_on_join


@pytest.mark.parametrize("members", ["", "a b", "new"])
def test_what_a_person_closed_stays_closed_whoever_comes_and_goes(members: str) -> None:
    closed = outcome(closed_by_person(closed=True), crowd(members), 60).closed
    assert closed is not None
    assert (closed.by, closed.at, closed.reopens_on_join) == ("spec.closed", NOW, False)


def test_a_person_closes_and_opens_again() -> None:
    closed = outcome(stands("a b", closed=True), crowd("a b")).closed
    assert closed is not None
    assert "set it to false to open" in closed.message
    assert outcome(closed_by_person(), crowd("a b"), 60).closed is None


def test_opening_again_does_not_make_a_round_restart_that_still_stands() -> None:
    status = outcome(closed_by_person(), crowd("a b"), 60)
    assert (status.closed, status.forming, status.round) == (None, None, 3)


def test_opening_again_with_one_member_lost_meanwhile_tells_the_true_reason() -> None:
    status = outcome(closed_by_person(), crowd("a"), 60)
    assert forming_reason(status) == "MemberDeleted"


def test_a_person_who_closes_after_a_member_did_has_the_last_word() -> None:
    closed = outcome(replace(closed_by_member(), spec=rendezvous(closed=True).spec), crowd("b")).closed
    assert closed is not None
    assert closed.reason == "ClosedBySpec"


def test_a_request_to_close_that_still_stands_counts_when_a_person_opens_again() -> None:
    closed = outcome(closed_by_person(), [seen("a", close_requested=True), seen("b")], 60).closed
    assert closed is not None
    assert (closed.by, closed.reason) == ("a", "ClosedByMember")


@pytest.mark.parametrize(
    ("before", "members"),
    [
        pytest.param(
            stands("a b"), [seen("a", **FAREWELL), seen("b")], id="a request that may be older than a reopening"
        ),
        pytest.param(closed_by_member(), [], id="nobody is there: the cache may be empty"),
        pytest.param(closed_by_member(reopens=True), crowd("a"), id="somebody is there: the cache may be old"),
    ],
)
def test_what_members_close_or_open_is_looked_at_again_before_it_is_written(
    before: Rendezvous, members: list[ObservedMember]
) -> None:
    assert decide(before, members, NOW).doubtful


def test_a_state_that_does_not_change_needs_no_second_look() -> None:
    assert not decide(closed_by_member(), crowd("a b"), NOW).doubtful
