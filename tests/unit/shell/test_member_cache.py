"""What the operator knows of Members: who there is, and for how long each has been silent."""

import logging
import math
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.resources import parse_member, parse_rendezvous
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core import ObservedMember, decide, forget_names
from kube_rendezvous_core.names_read import names_kept
from kube_rendezvous_operator.shell.watching import member_cache
from kube_rendezvous_operator.shell.watching.member_cache import NAMES_OF_THE_GONE, Key, MemberCache
from unit.scripted_connection import ScriptedConnection
from unit.shell.fake_clock import Clock
from unit.shell.objects import KEY, raw_member, raw_rendezvous

RUN = parse_rendezvous(raw_rendezvous(1, minNodes=8))
NOW = parse_time("2026-03-01T12:00:30Z")
CUT = ApiUnavailableError("GET /members (watch)", 0, "", "broken")


class Watched:
    """A cache that is told by hand what its watch would tell, and whom it has woken."""

    def __init__(self) -> None:
        self.woken: list[Key] = []
        self.cache = MemberCache(ScriptedConnection(), None, self.woken.append)  # type: ignore[arg-type]

    def woken_by(self, *objects: dict[str, Any]) -> list[Key]:
        self.woken.clear()
        for obj in objects:
            self.cache.changed(obj)
        return list(self.woken)

    def seen(self) -> dict[str, ObservedMember]:
        return {observed.member.name: observed for observed in self.cache.observed(KEY)}

    def silence(self, name: str = "a") -> float:
        return self.seen()[name].silence


@pytest.fixture
def watched(clock: Clock) -> Watched:
    """Knows the members a and b since now."""
    watched = Watched()
    watched.cache.relisted([raw_member("a"), raw_member("b")])
    return watched


def test_it_is_synced_by_its_first_list(clock: Clock) -> None:
    watched = Watched()
    assert not watched.cache.synced.is_set()
    watched.cache.relisted([])
    assert watched.cache.synced.is_set()


def test_a_list_wakes_every_rendezvous_that_has_members(clock: Clock) -> None:
    watched = Watched()
    watched.cache.relisted([raw_member("a"), raw_member("b"), raw_member("c", rendezvous="other")])
    assert sorted(watched.woken) == [("ns", "other"), KEY]
    assert set(watched.seen()) == {"a", "b"}
    assert len(watched.cache) == 3


def test_a_member_that_vanished_while_the_watch_was_cut_is_found_by_the_next_list(watched: Watched) -> None:
    watched.woken.clear()
    watched.cache.relisted([raw_member("b")])
    assert watched.seen()["a"].deleted, "its last version counts until its farewell is recorded"
    assert not watched.seen()["b"].deleted
    assert watched.woken == [KEY]


def test_a_list_does_not_take_back_what_an_event_said_later(watched: Watched) -> None:
    watched.cache.changed(raw_member("a", 5, afterRound=3))
    watched.cache.relisted([raw_member("a", 4), raw_member("b")])
    assert watched.seen()["a"].member.after_round == 3


def test_a_new_member_and_any_change_but_the_heartbeat_wake_their_rendezvous(watched: Watched) -> None:
    assert watched.woken_by(raw_member("c")) == [KEY]
    assert watched.woken_by(raw_member("a", 2, renewed=1, afterRound=1)) == [KEY]
    assert watched.woken_by(raw_member("b", 2, leaving=True)) == [KEY]


def test_a_heartbeat_ends_the_silence_and_wakes_nobody(watched: Watched, clock: Clock) -> None:
    clock.now += 4
    assert watched.silence() == 4
    assert watched.woken_by(raw_member("a", 2, renewed=4)) == []
    assert watched.silence() == 0
    assert watched.silence("b") == 4


def test_only_a_change_of_the_heartbeat_is_one_whatever_time_is_in_it(watched: Watched, clock: Clock) -> None:
    clock.now += 4
    watched.cache.changed(raw_member("a", 2, renewed=0))
    assert watched.silence() == 4, "another change of the object is no heartbeat"
    watched.cache.changed(raw_member("b", 2, renewed=59))
    assert watched.silence("b") == 0, "the members' clocks are their own"


def test_an_event_that_is_older_than_what_is_known_changes_nothing(watched: Watched, clock: Clock) -> None:
    watched.cache.changed(raw_member("a", 10, renewed=1))
    clock.now += 4
    watched.cache.changed(raw_member("a", 9, renewed=2, leaving=True))
    assert watched.silence() == 4
    assert not watched.seen()["a"].member.leaving


def test_silence_stands_still_while_the_watch_is_cut_and_counts_anew_after_it(watched: Watched, clock: Clock) -> None:
    clock.now += 4
    watched.cache.troubled(CUT)
    clock.now += 600
    watched.cache.troubled(CUT)
    assert watched.silence() == 4, "an API server that is away for ten minutes expels nobody"
    watched.cache.connected()
    assert watched.silence() == 0
    clock.now += 3
    assert watched.silence() == 3


def test_a_watch_that_goes_on_without_trouble_does_not_end_a_silence(watched: Watched, clock: Clock) -> None:
    clock.now += 4
    watched.cache.connected()
    assert watched.silence() == 4


def test_a_doubted_silence_counts_anew(watched: Watched, clock: Clock) -> None:
    watched.cache.changed(raw_member("c", rendezvous="other"))
    clock.now += 4
    watched.cache.doubt(KEY)
    assert watched.silence() == watched.silence("b") == 0
    assert watched.cache.observed(("ns", "other"))[0].silence == 4, "but not that of others"


def test_a_silence_is_proven_from_the_first_consistent_read_on_until_the_next_heartbeat(
    watched: Watched, clock: Clock
) -> None:
    clock.now += 4
    watched.cache.prove(KEY, ["a"], clock.now)
    clock.now += 2
    watched.cache.prove(KEY, ["a"], clock.now)
    assert watched.seen()["a"].proven_silence == 2
    assert watched.seen()["b"].proven_silence == 0
    watched.cache.changed(raw_member("a", 2, renewed=6))
    assert watched.seen()["a"].proven_silence == 0


def test_a_read_from_before_the_last_heartbeat_proves_nothing(watched: Watched, clock: Clock) -> None:
    began = clock.now
    clock.now += 1
    watched.cache.changed(raw_member("a", 2, renewed=1))
    watched.cache.prove(KEY, ["a"], began)
    clock.now += 3
    assert watched.seen()["a"].proven_silence == 0


def test_that_the_watch_is_cut_and_back_is_said_once_each(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "kube_rendezvous_operator"):
        for _ in range(3):
            watched.cache.troubled(CUT)
        watched.cache.connected()
        watched.cache.connected()
    assert len(caplog.messages) == 2
    assert "nobody is taken for lost until it is back" in caplog.messages[0]
    assert "is back" in caplog.messages[1]


def test_a_deleted_member_is_shown_with_its_farewell_until_that_is_recorded(watched: Watched) -> None:
    watched.woken.clear()
    watched.cache.removed(raw_member("a", 3, leaving=True))
    assert watched.woken == [KEY]
    seen = watched.seen()["a"]
    assert seen.deleted
    assert seen.member.leaving, "its last version may be the first to hold its farewell"
    watched.cache.forget(KEY, [parse_member(raw_member("a"))])
    assert set(watched.seen()) == {"b"}
    assert len(watched.cache) == 1


def test_a_member_that_we_deleted_does_not_rise_by_an_event_of_its_last_days(watched: Watched) -> None:
    watched.cache.forget(KEY, [parse_member(raw_member("a"))])
    assert set(watched.seen()) == {"b"}
    watched.cache.changed(raw_member("a", 2, renewed=1))
    assert set(watched.seen()) == {"b"}
    watched.cache.removed(raw_member("a", 3))
    assert set(watched.seen()) == {"b"}
    assert len(watched.cache) == 1


def test_a_member_of_the_same_name_but_another_uid_is_another_one(watched: Watched, clock: Clock) -> None:
    watched.cache.forget(KEY, [parse_member(raw_member("a"))])
    clock.now += 4
    watched.cache.changed(raw_member("a", 9, uid="another"))
    assert watched.seen()["a"].member.uid == "another"
    assert watched.silence() == 0
    watched.cache.removed(raw_member("a", 3))
    assert not watched.seen()["a"].deleted, "the end of the earlier one is not its own"


def test_a_consistent_list_of_one_rendezvous_brings_and_ends_members(watched: Watched) -> None:
    watched.cache.changed(raw_member("c", rendezvous="other"))
    watched.cache.refresh(KEY, [raw_member("b", 2, afterRound=1), raw_member("d")])
    seen = watched.seen()
    assert seen["a"].deleted
    assert seen["b"].member.after_round == 1
    assert not seen["d"].deleted
    assert not watched.cache.observed(("ns", "other"))[0].deleted, "it says nothing of others"


def test_a_malformed_member_is_ignored_and_said_once(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "kube_rendezvous_operator"):
        assert watched.woken_by(raw_member("bad", port=-1), raw_member("bad", 2, port=-1)) == []
        watched.cache.relisted([raw_member("a"), raw_member("b"), raw_member("bad", 3, port=-1)])
        watched.cache.removed(raw_member("bad", 4, port=-1))
    assert set(watched.seen()) == {"a", "b"}
    assert caplog.messages == ["Ignored: RendezvousMember ns/bad: spec.port is -1, not a number from 1 to 65535"]


@pytest.mark.parametrize("end", ["its end is seen", "a list is without it"])
def test_a_malformed_member_that_is_gone_is_forgotten(
    watched: Watched, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    bad = raw_member("bad", port=-1)
    with caplog.at_level(logging.WARNING, "kube_rendezvous_operator"):
        watched.cache.changed(bad)
        if end == "its end is seen":
            watched.cache.removed(bad)
        else:
            watched.cache.relisted([])
        watched.cache.changed(bad)
    assert len(caplog.messages) == 2, "it is said anew because nothing was kept"


def test_the_end_of_a_member_that_was_never_known_means_nothing(watched: Watched) -> None:
    watched.woken.clear()
    watched.cache.removed(raw_member("c"))
    watched.cache.forget(KEY, [parse_member(raw_member("c"))])
    watched.cache.forget(("ns", "unknown"), [parse_member(raw_member("c"))])
    assert watched.woken == []
    assert set(watched.seen()) == {"a", "b"}


def test_a_list_that_was_asked_for_before_a_member_came_says_nothing_about_it(watched: Watched, clock: Clock) -> None:
    asked = clock.now
    clock.now += 1
    watched.cache.changed(raw_member("late"))
    watched.cache.refresh(KEY, [raw_member("a"), raw_member("b")], asked)
    assert not watched.seen()["late"].deleted
    watched.cache._watcher.list_began = asked
    watched.cache.relisted([raw_member("a"), raw_member("b")])
    assert not watched.seen()["late"].deleted
    watched.cache.refresh(KEY, [raw_member("a"), raw_member("b")], clock.now)
    assert watched.seen()["late"].deleted


def test_a_new_member_under_a_forgotten_name_is_not_forgotten_with_it(watched: Watched) -> None:
    old = watched.seen()["a"].member
    watched.cache.changed(raw_member("a", 9, uid="another"))
    watched.cache.forget(KEY, [old])
    assert watched.seen()["a"].member.uid == "another"


def test_who_takes_a_name_in_another_rendezvous_shows_that_its_holder_is_gone(watched: Watched) -> None:
    assert watched.woken_by(raw_member("a", 9, uid="another", rendezvous="other")) == [KEY, ("ns", "other")]
    assert watched.seen()["a"].deleted
    watched.cache.forget(KEY, [watched.seen()["a"].member])
    assert set(watched.seen()) == {"b"}
    watched.cache.removed(raw_member("a", 10, uid="another", rendezvous="other"))
    assert watched.cache.observed(("ns", "other"))[0].deleted


def test_who_is_not_younger_than_a_list_that_does_not_hold_it_is_gone_however_late_it_was_told(
    watched: Watched, clock: Clock
) -> None:
    asked = clock.now
    clock.now += 1
    for name, version in (("c", 8), ("d", 9)):
        watched.cache.changed(raw_member(name, version))
    watched.cache.refresh(KEY, [raw_member("a"), raw_member("b")], asked, version=8)
    assert {name: seen.deleted for name, seen in watched.seen().items()} == {
        **dict.fromkeys("abd", False),
        "c": True,
    }


AT_THE_OPENING = 20
"""Version of the list on which it was decided to open the rendezvous again."""


@pytest.fixture
def opened(watched: Watched) -> Watched:
    """The rendezvous is open again; only b is there."""
    watched.cache.refresh(KEY, [raw_member("b", 2)])
    watched.cache.opened(KEY, {"uid-of-b"}, AT_THE_OPENING)
    return watched


def test_who_was_gone_at_the_opening_does_not_rise_however_late_it_is_told(opened: Watched) -> None:
    assert set(opened.seen()) == {"b"}, "nor does who was known before"
    late = [raw_member(name, AT_THE_OPENING - 1, closeRequested=True) for name in ("a", "c")]
    assert opened.woken_by(*late) == []
    for obj in late:
        opened.cache.removed(obj)
    opened.cache._watcher.list_began = -math.inf
    opened.cache.relisted([*late, raw_member("b", 2)])
    assert set(opened.seen()) == {"b"}


def test_a_list_that_was_asked_for_after_the_opening_is_believed_whatever_its_versions(opened: Watched) -> None:
    """The storage was restored from a backup, and counts from a lower number."""
    opened.cache.relisted([raw_member("b", 2), raw_member("c", AT_THE_OPENING - 1)])
    assert set(opened.seen()) == {"b", "c"}


def test_who_was_there_at_the_opening_or_came_later_is_heard(opened: Watched) -> None:
    opened.cache.changed(raw_member("b", 3, afterRound=1))
    opened.cache.changed(raw_member("c", AT_THE_OPENING + 1))
    opened.cache.changed(raw_member("d", AT_THE_OPENING - 1, rendezvous="other"))
    assert opened.seen()["b"].member.after_round == 1
    assert set(opened.seen()) == {"b", "c"}
    assert len(opened.cache.observed(("ns", "other"))) == 1, "theirs was not opened"


def test_who_came_between_the_decision_to_open_and_the_opening_stays(watched: Watched) -> None:
    watched.cache.changed(raw_member("old", AT_THE_OPENING))
    watched.cache.changed(raw_member("young", AT_THE_OPENING + 1))
    watched.cache.opened(KEY, {"uid-of-b"}, AT_THE_OPENING)
    assert set(watched.seen()) == {"b", "young"}, "the watch is still to tell that the old one is gone"


def test_openings_that_the_watch_has_passed_are_forgotten(opened: Watched) -> None:
    protocol = opened.cache._watcher._protocol
    for version, kept in ((AT_THE_OPENING, {KEY, ("ns", "other")}), (AT_THE_OPENING + 1, {("ns", "other")})):
        protocol.listed({"metadata": {"resourceVersion": str(version)}, "items": []})
        opened.cache.opened(("ns", "other"), set(), 50)
        assert opened.cache._opened.keys() == kept


GHOST = {"deletionTimestamp": "2026-03-01T12:00:09Z", "finalizers": ["example.com/keep"]}


def ghost(name: str, version: int, **spec: Any) -> dict[str, Any]:
    """A Member that was deleted, and is kept by a finalizer."""
    obj = raw_member(name, version, **spec)
    return {**obj, "metadata": {**obj["metadata"], **GHOST}}


def test_a_member_that_only_a_finalizer_keeps_is_gone(watched: Watched) -> None:
    assert watched.woken_by(ghost("a", 2)) == [KEY]
    assert watched.seen()["a"].deleted
    assert len(watched.cache) == 1, "nor does it count for the interval"
    assert [m.name for m in watched.cache.everybody()[KEY]] == ["b"]


def test_a_ghost_whose_farewell_is_recorded_wakes_nobody_however_it_beats(watched: Watched) -> None:
    watched.cache.changed(ghost("a", 2))
    watched.cache.forget(KEY, [watched.seen()["a"].member])
    assert watched.woken_by(ghost("a", 3, renewed=3), ghost("a", 4, renewed=4)) == []
    assert set(watched.seen()) == {"b"}
    watched.cache.removed(ghost("a", 5))
    watched.cache.changed(raw_member("a", 9, uid="another"))
    assert not watched.seen()["a"].deleted, "the name is free again"


def test_ghosts_that_are_there_at_the_start_have_never_lived(clock: Clock) -> None:
    watched = Watched()
    watched.cache.relisted([ghost("a", 2), raw_member("b")])
    assert watched.seen()["a"].deleted
    assert len(watched.cache) == 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three members of a rendezvous, two of a pod."""
    monkeypatch.setattr(member_cache, "MOST_MEMBERS", 3)
    monkeypatch.setattr(member_cache, "MOST_MEMBERS_OF_A_POD", 2)


def counting() -> tuple[MemberCache, list[str]]:
    """A cache, and the names of those that were too many for it."""
    surplus: list[str] = []
    cache = MemberCache(
        ScriptedConnection(),  # type: ignore[arg-type]
        None,
        lambda _: None,
        too_many=lambda _, member: surplus.append(member.name),
    )
    return cache, surplus


@pytest.mark.usefixtures("small", "clock")
def test_what_is_more_than_a_rendezvous_may_have_is_not_kept_and_is_to_be_deleted() -> None:
    cache, surplus = counting()
    cache.relisted([raw_member(name) for name in "abcd"])
    assert (len(cache), surplus) == (3, ["d"])
    cache.changed(raw_member("x", rendezvous="other"))
    assert (len(cache), surplus) == (4, ["d"]), "others have their own"
    cache.removed(raw_member("a", 9))
    cache.forget(KEY, [parse_member(raw_member("a", 9))])
    cache.changed(raw_member("e"))
    assert (len(cache), surplus) == (4, ["d"])


@pytest.mark.usefixtures("small", "clock")
def test_nor_what_is_more_than_a_pod_may_have_in_all_rendezvous_of_its_namespace() -> None:
    cache, surplus = counting()
    for name, rendezvous in (("a", "run"), ("b", "other"), ("c", "third")):
        cache.changed(raw_member(name, podUID="p", rendezvous=rendezvous))
    assert surplus == ["c"]
    cache.removed(raw_member("a", 9, podUID="p"))
    cache.forget(KEY, [parse_member(raw_member("a", 9))])
    cache.changed(raw_member("d", podUID="p", rendezvous="third"))
    assert surplus == ["c"]


def test_names_of_those_that_are_gone_are_not_kept(watched: Watched) -> None:
    forget_names()
    most = 0
    for number in range(3 * NAMES_OF_THE_GONE):
        gone = raw_member(f"trainer-{number}", version=number + 10, address=f"10.1.{number // 256}.{number % 256}")
        watched.cache.changed(gone)
        decide(RUN, watched.cache.observed(KEY), NOW)
        watched.cache.removed(gone)
        watched.cache.forget(KEY, [parse_member(gone)])
        most = max(most, names_kept())
    assert NAMES_OF_THE_GONE < most < 4 * NAMES_OF_THE_GONE
