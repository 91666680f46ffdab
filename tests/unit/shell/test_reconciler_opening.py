"""A rendezvous that is opened again: who was gone before is not heard again, however late the watch tells of it.

A watch may hang, or have to begin anew, and then tell in the old order what a consistent list has overtaken long ago.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.resources import Closed
from kube_rendezvous_operator.shell.reconciling.reconciler import OvertakenError
from kube_rendezvous_operator.shell.watching.rendezvous_cache import KnownRendezvous
from unit.scripted_connection import Asked
from unit.shell.fake_clock import Clock
from unit.shell.objects import KEY, raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell

LONG_AGO = datetime(2026, 2, 1, tzinfo=UTC)
CLOSED = Closed("a", LONG_AGO, "ClosedByMember", "closed by a: done", reopens_on_join=True)
FAREWELL: dict[str, Any] = {"leaving": True, "closeRequested": True, "closeReason": "done"}
LISTED = 99
"""Version of the list that shows that the members of the last run are gone, and that a newcomer is there."""
NEW = raw_member("new", 90)


def tell_of_the_last_run(shell: Shell, first: int = LISTED - 20) -> None:
    """By the watch, in order: a asks to close, and is gone; c, of whom nobody had heard, comes, asks, and is gone."""
    for number, name in enumerate("ac"):
        shell.members.changed(raw_member(name, first + 5 * number))
        shell.members.changed(raw_member(name, first + 5 * number + 1, **FAREWELL))
        shell.members.removed(raw_member(name, first + 5 * number + 2, **FAREWELL))


@pytest.fixture
def closed(standing: Shell) -> Shell:
    """The run of a and b has ended and closed; the watch lags behind, and has told of none of that, nor of who came."""
    standing.rendezvous.put(raw_rendezvous(500, replace(standing.status, closed=CLOSED)))
    standing.serve(raw_rendezvous(500, standing.status), NEW)
    return standing


def assert_open(shell: Shell) -> None:
    assert shell.status.closed is None, "a request of the last run is no request of this one"


def test_whoever_was_gone_when_it_was_opened_again_does_not_close_it_by_what_the_watch_tells_late(
    closed: Shell,
) -> None:
    closed.run()
    assert_open(closed)
    tell_of_the_last_run(closed)
    closed.run()
    assert_open(closed)
    assert [seen.member.name for seen in closed.members.observed(KEY)] == ["new"]


def test_nor_by_what_it_tells_between_the_decision_and_the_write(closed: Shell) -> None:
    closed.permit = lambda: tell_of_the_last_run(closed)
    closed.run()
    closed.permit = lambda: None
    closed.run()
    assert_open(closed)


def test_nor_by_the_rest_of_a_story_of_which_a_part_was_told_before_the_write(closed: Shell) -> None:
    closed.permit = lambda: closed.members.changed(raw_member("c", 80))
    closed.run()
    closed.permit = lambda: None
    tell_of_the_last_run(closed, first=81)
    closed.run()
    assert_open(closed)


@pytest.mark.parametrize("name", ["a", "c"], ids=["one that had a rank", "one of whom nobody had heard"])
@pytest.mark.parametrize("moment", ["while the list is under way", "between the list and the decision"])
def test_nor_by_one_of_whom_it_tells_at_the_second_look(closed: Shell, clock: Clock, name: str, moment: str) -> None:
    def rises() -> None:
        clock.now += 0.01
        closed.members.changed(raw_member(name, 70))

    def listed(_: Asked) -> dict[str, Any]:
        if moment.startswith("while"):
            rises()
        return {"metadata": {"resourceVersion": str(LISTED)}, "items": [NEW]}

    known = closed.rendezvous.get
    looks = iter([*[lambda: None] * 3, rises])  # the fourth time is after the list

    def known_later(key: tuple[str, str]) -> KnownRendezvous | None:
        if moment.startswith("between"):
            next(looks, lambda: None)()
        return known(key)

    closed.members.refresh(KEY, [])
    closed.members.forget(KEY, [seen.member for seen in closed.members.observed(KEY)])
    closed.members.changed(NEW)
    closed.answer("GET", "/rendezvousmembers", listed)
    closed.rendezvous.get = known_later  # type: ignore[method-assign]
    closed.run()
    closed.rendezvous.get = known  # type: ignore[method-assign]
    assert_open(closed)
    closed.members.changed(raw_member(name, 75, **FAREWELL))
    closed.members.removed(raw_member(name, 76, **FAREWELL))
    closed.run()
    assert_open(closed)


@pytest.mark.parametrize("carried_out", [True, False], ids=["its answer is lost", "it is lost"])
def test_nor_when_the_write_that_opens_it_fails(closed: Shell, carried_out: bool) -> None:
    [store] = closed.connection.answers[("PUT", "/status")]
    assert callable(store)
    closed.answer("PUT", "/status", lost(store, carried_out), store)
    closed.members.changed(raw_member("a", 70, **FAREWELL))
    with pytest.raises(ApiUnavailableError):
        closed.run()
    closed.serve(closed.raw, NEW)
    closed.rendezvous.put(closed.raw)
    tell_of_the_last_run(closed)
    closed.run()
    closed.run()
    assert_open(closed)


@pytest.mark.parametrize("answered", [True, False], ids=["and the opening is written", "and its answer is lost"])
def test_a_leaver_that_is_still_there_goes_with_what_it_asked_for(closed: Shell, answered: bool) -> None:
    [store] = closed.connection.answers[("PUT", "/status")]
    assert callable(store)
    after_they_came = replace(CLOSED, at=datetime(2026, 4, 1, tzinfo=UTC))
    raw = raw_rendezvous(501, replace(closed.status, closed=after_they_came))
    closed.rendezvous.put(raw)
    closed.serve(raw, raw_member("b", 80, **FAREWELL), NEW)
    closed.answer("PUT", "/status", store if answered else lost(store, carried_out=True), store)
    with contextlib.suppress(ApiUnavailableError):
        closed.run()
    assert closed.asked.index("DELETE b") < closed.asked.index("PUT status")
    closed.serve(closed.raw, NEW)
    closed.rendezvous.put(closed.raw)
    closed.members.removed(raw_member("b", LISTED + 3, **FAREWELL))
    closed.run()
    closed.run()
    assert_open(closed)


def test_a_leaver_that_nobody_lets_us_delete_holds_no_new_run_up_and_is_not_heard(closed: Shell) -> None:
    raw = raw_rendezvous(501, replace(closed.status, closed=replace(CLOSED, at=datetime(2026, 4, 1, tzinfo=UTC))))
    closed.rendezvous.put(raw)
    closed.serve(raw, raw_member("b", 80, **FAREWELL), NEW)
    closed.answer("DELETE", "/rendezvousmembers/", ApiRefusedError("DELETE", 403, "Forbidden", "no"))
    for _ in range(2):
        closed.run()
        closed.serve(closed.raw, raw_member("b", 80, **FAREWELL), NEW)
        assert_open(closed)


@pytest.mark.parametrize("held", ["a", "c"], ids=["that had a rank", "that was a spare"])
def test_a_ghost_that_somebodys_finalizer_keeps_is_not_heard_by_the_next_operator_either(
    closed: Shell, held: str
) -> None:
    ghost = raw_member(held, 80, **FAREWELL)
    ghost["metadata"] |= {"deletionTimestamp": "2026-03-01T12:00:09Z", "finalizers": ["example.com/keep"]}
    closed.serve(closed.raw, NEW, ghost)
    closed.run()
    closed.run()
    assert_open(closed)
    next_one = Shell()
    next_one.know(closed.raw, ghost, NEW)
    next_one.run()
    assert_open(next_one)


def test_nor_is_one_that_an_operator_tells_of_that_has_not_opened_it(closed: Shell) -> None:
    conditions = tuple(
        replace(it, status="False", last_transition_time=datetime.now(UTC)) if it.type == "Closed" else it
        for it in closed.status.conditions
    )
    opened = replace(closed.status, closed=None, opened_after=closed.status.round, conditions=conditions)
    closed.rendezvous.put(raw_rendezvous(600, opened))
    closed.serve(raw_rendezvous(600, opened), NEW)
    closed.run()
    tell_of_the_last_run(closed)
    closed.run()
    assert_open(closed)


def lost(store: Callable[[Asked], dict[str, Any]], carried_out: bool) -> Callable[[Asked], dict[str, Any]]:
    def answer(asked: Asked) -> dict[str, Any]:
        if carried_out:
            store(asked)
        raise ApiUnavailableError("PUT /status", 0, "", "the connection broke")

    return answer


def test_what_another_rendezvous_of_the_name_is_asked_for_holds_no_opening_up(closed: Shell) -> None:
    """Theirs may be the newer one, created since this one was read: the sweeper asks before it deletes."""
    stranger = raw_member("s", 80, rendezvousUID="other", **FAREWELL)
    closed.serve(closed.raw, NEW, stranger)
    closed.answer("GET", "/rendezvous/run", closed.raw, raw_rendezvous(700, uid="other"))
    closed.answer("DELETE", "/rendezvousmembers/", ApiRefusedError("DELETE", 403, "Forbidden", "not yours"))
    closed.run()
    assert_open(closed)
    assert "DELETE s" not in closed.asked


def test_who_comes_after_the_opening_closes_it_although_it_is_gone_before_anybody_looks(closed: Shell) -> None:
    closed.run()
    closed.answer("GET", "/rendezvous/run", closed.raw)
    for tell, version in ((closed.members.changed, LISTED + 1), (closed.members.removed, LISTED + 2)):
        member = raw_member("d", version, **FAREWELL)
        member["metadata"]["creationTimestamp"] = f"{datetime.now(UTC):%FT%TZ}"
        tell(member)
    closed.run()
    assert closed.status.closed is not None
    assert closed.status.closed.by == "d"


def test_a_late_farewell_is_heard_while_nothing_was_opened_meanwhile(standing: Shell) -> None:
    """A list has shown that a is gone, before the watch could tell that it had asked to close."""
    standing.members.refresh(KEY, [raw_member("b", 2)])
    standing.serve(standing.raw, raw_member("b", 2))
    standing.run()
    assert standing.status.forming is not None
    standing.answer("GET", "/rendezvous/run", standing.raw)
    tell_of_the_last_run(standing)
    standing.run()
    assert standing.status.closed is not None
    assert standing.status.closed.by == "a"


def test_a_list_whose_version_is_no_number_is_not_taken(closed: Shell) -> None:
    """There would be no telling what is older."""
    closed.answer("GET", "/rendezvousmembers", {"metadata": {"resourceVersion": "x"}, "items": [NEW]})
    with pytest.raises(ApiUnavailableError):
        closed.run()
    assert closed.asked == ["GET run", "GET rendezvousmembers"]
    assert closed.status.closed is not None


def test_an_opening_that_somebody_else_was_faster_with_ends_the_requests_as_well(closed: Shell) -> None:
    conflict = ApiUnavailableError("PUT /status", 409, "Conflict", "the object has been modified")
    opened = replace(closed.status, closed=None)
    [store] = closed.connection.answers[("PUT", "/status")]
    closed.answer("PUT", "/status", conflict)
    closed.answer("GET", "/rendezvous/run", closed.raw, raw_rendezvous(600, opened))
    with pytest.raises(OvertakenError):
        closed.run()
    tell_of_the_last_run(closed)
    closed.answer("PUT", "/status", store)
    closed.run()
    assert_open(closed)
