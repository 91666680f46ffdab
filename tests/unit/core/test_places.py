"""Two members of one pod and slot: a process and its predecessor, or two that live."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core import ObservedMember, decide
from kube_rendezvous_core.liveness.liveness import judge
from unit.core.builders import NOW, at, rendezvous, seen, stands, then

INTERVAL = 5
POD: dict[str, Any] = {"pod_uid": "p", "pod_name": "trainer-0", "slot": "0"}


def came(name: str, since: float, renewed: float, silence: float = 0.0, **fields: Any) -> ObservedMember:
    """It joined so many seconds after NOW, and sent its last heartbeat at the other time."""
    place = POD | fields
    observed = seen(name, silence, created=at(int(since)), renew_time=format_time(at(renewed)), **place)
    return replace(observed, first_renewed=format_time(at(since)))


def verdict(*members: ObservedMember, ranks: str = "") -> tuple[set[str], list[str], list[str]]:
    """Who lives and has a place, who is lost, who is refused."""
    run = stands(ranks) if ranks else rendezvous()
    liveness = judge(run, members, INTERVAL)
    return (
        set(liveness.alive),
        [f"{loss.name} {loss.reason}" for loss in liveness.losses],
        [one.member for one in liveness.refused],
    )


def test_who_goes_on_renewing_lives_and_the_newcomer_is_refused() -> None:
    old, new = came("old", 0, renewed=61), came("new", 60, renewed=60)
    assert verdict(old, new) == ({"old"}, [], ["new"])


def test_who_has_missed_a_heartbeat_since_the_newcomer_was_heard_is_its_predecessor() -> None:
    old, new = came("old", 0, renewed=58, silence=7.5), came("new", 60, renewed=65, silence=0.5)
    assert verdict(old, new) == ({"new"}, ["old MemberSuperseded"], [])


def test_until_either_shows_the_newcomer_waits_and_the_operator_looks_again() -> None:
    old, new = came("old", 0, renewed=58, silence=3), came("new", 60, renewed=60, silence=1)
    assert verdict(old, new) == ({"old"}, [], [])
    assert judge(rendezvous(), [old, new], INTERVAL).next_silence == pytest.approx(4.5)


def test_a_newcomer_that_has_ended_itself_proves_nothing() -> None:
    old, new = came("old", 0, renewed=58, silence=7.5), came("new", 60, renewed=60, silence=8)
    assert verdict(old, new) == ({"old"}, [], [])


def test_the_lock_shows_at_once_that_the_older_process_has_ended() -> None:
    old = came("old", 0, renewed=59, silence=1, holds_place=True)
    new = came("new", 60, renewed=60, holds_place=True)
    assert verdict(old, new, ranks="old other") == ({"new"}, ["old MemberSuperseded", "other MemberDeleted"], [])


def test_that_it_was_silent_is_confirmed_before_it_goes_but_the_lock_needs_no_more() -> None:
    old, new = came("old", 0, renewed=58, silence=7.5), came("new", 60, renewed=65, silence=0.5)
    locked = [replace(one, member=replace(one.member, holds_place=True)) for one in (old, new)]
    assert [loss.doubtful for loss in judge(rendezvous(), [old, new], INTERVAL).losses] == [True]
    assert [loss.doubtful for loss in judge(rendezvous(), locked, INTERVAL).losses] == [False]


def test_who_holds_a_rank_is_not_refused_for_one_that_is_older() -> None:
    old, new = came("old", 0, renewed=61), came("new", 60, renewed=62)
    assert verdict(old, new, ranks="new") == ({"new"}, [], ["old"])
    assert verdict(old, new, ranks="new old") == ({"new", "old"}, [], [])


def test_who_was_the_first_of_three_refuses_both_others() -> None:
    assert verdict(came("a", 0, 62), came("b", 60, 61), came("c", 61, 61)) == ({"a"}, [], ["b", "c"])


def test_another_slot_is_another_place() -> None:
    assert verdict(came("old", 0, 61), came("new", 60, 60, slot="1")) == ({"old", "new"}, [], [])


def test_the_standing_run_goes_on_and_the_newcomer_reads_whom_it_met_and_what_to_do() -> None:
    run = stands("old other")
    members = [came("old", 0, renewed=61), seen("other"), came("new", 60, renewed=60)]
    decision = decide(run, members, NOW)
    status = decision.status
    assert (status.round, status.forming, status.standby) == (3, None, 0)
    assert (decision.expel_first, decision.expel_after) == ((), ())
    told = status.refused[0]
    assert told.member == "new"
    assert "new came to pod trainer-0 with slot 0, where old is already, and lives." in told.message
    assert "--rdzv-conf slot=NAME" in told.message
    assert [a.reason for a in decision.announcements] == ["MemberRefused"]
    again = decide(then(run, decision), members, NOW)
    assert again.announcements == ()
    gone = decide(then(run, decision), members[:2], NOW)
    assert gone.status.refused == ()
