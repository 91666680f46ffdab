"""Who is lost."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from kube_rendezvous_core import ObservedMember
from kube_rendezvous_core.liveness.liveness import judge
from unit.core.builders import NOW, OTHER_UID, at, crowd, rendezvous, seen, stands


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(seen("a", silence=14.9), None, id="heard within three intervals"),
        pytest.param(seen("a", silence=15.0), "HeartbeatLost", id="silent for three intervals"),
        pytest.param(seen("a", leaving=True), "MemberLeft", id="it left"),
        pytest.param(
            seen("a", leaving=True, deleted=True), "MemberLeft", id="it left and is gone: the farewell counts"
        ),
        pytest.param(seen("a", deleted=True), "MemberDeleted", id="its object was deleted"),
    ],
)
def test_a_member_is_lost_when(observed: ObservedMember, reason: str | None) -> None:
    liveness = judge(rendezvous(), [observed], 5)
    assert [loss.reason for loss in liveness.losses] == ([reason] if reason else [])
    assert set(liveness.alive) == (set() if reason else {"a"})


def test_a_ranked_name_without_an_object_is_lost_but_doubtful() -> None:
    liveness = judge(stands("a b"), crowd("a"), 5)
    assert [(loss.name, loss.reason, loss.member, loss.doubtful) for loss in liveness.losses] == [
        ("b", "MemberDeleted", None, True)
    ]


LOCK: dict[str, Any] = {"pod_uid": "p", "holds_place": True}


@pytest.mark.parametrize(
    ("older", "newer", "superseded"),
    [
        pytest.param(LOCK, LOCK, True, id="same pod, no slot"),
        pytest.param(LOCK | {"slot": "1"}, LOCK | {"slot": "1"}, True, id="same pod and slot"),
        pytest.param(LOCK | {"slot": "1"}, LOCK | {"slot": "2"}, False, id="another slot"),
        pytest.param(LOCK, LOCK | {"pod_uid": "q"}, False, id="another pod"),
        pytest.param(LOCK | {"pod_uid": ""}, LOCK | {"pod_uid": ""}, False, id="outside a pod no place is certain"),
        pytest.param(LOCK, LOCK | {"leaving": True}, False, id="the newer one leaves"),
        pytest.param(LOCK, LOCK | {"rendezvous_uid": OTHER_UID}, False, id="of another rendezvous"),
        pytest.param({"pod_uid": "p"}, LOCK, False, id="the older one never had the lock"),
        pytest.param(LOCK, {"pod_uid": "p"}, False, id="the newer one did not get the lock"),
    ],
)
def test_an_older_incarnation_in_the_same_pod_and_slot_is_superseded(
    older: dict[str, Any], newer: dict[str, Any], superseded: bool
) -> None:
    liveness = judge(rendezvous(), [seen("new", created=at(9), **newer), seen("old", **older)], 5)
    assert ("MemberSuperseded" in [loss.reason for loss in liveness.losses]) is superseded
    assert ("old" in liveness.alive) is not superseded


def test_a_deleted_incarnation_supersedes_nobody() -> None:
    members = [seen("old", pod_uid="p"), seen("new", pod_uid="p", created=at(9), deleted=True)]
    assert set(judge(rendezvous(), members, 5).alive) == {"old"}


def test_within_one_second_the_later_heartbeat_tells_which_incarnation_is_newer() -> None:
    first = seen("z", renew_time="2026-03-01T12:00:00.100000Z", **LOCK)
    second = seen("a", renew_time="2026-03-01T12:00:00.700000Z", **LOCK)
    assert set(judge(rendezvous(), [first, second], 5).alive) == {"a"}


def test_a_member_of_another_rendezvous_of_that_name_is_a_stranger() -> None:
    liveness = judge(rendezvous(), [seen("a"), seen("b", rendezvous_uid=OTHER_UID)], 5)
    assert (set(liveness.alive), liveness.losses, [m.name for m in liveness.strangers]) == ({"a"}, (), ["b"])


CREATED = replace(rendezvous(), created=NOW)


@pytest.mark.parametrize(
    ("created", "known_for", "counts", "is_stranger"),
    [
        pytest.param(at(2), 0, True, False, id="certainly younger than the Rendezvous"),
        pytest.param(at(2), 99, True, False, id="however long it says nothing"),
        pytest.param(at(1), 0, False, False, id="perhaps a leftover, which may yet say"),
        pytest.param(at(1), 14.9, False, False, id="which it does with its first heartbeats"),
        pytest.param(at(1), 15, False, True, id="it has not said so in time"),
        pytest.param(at(-60), 15, False, True, id="a leftover of an earlier Rendezvous of the name"),
    ],
)
def test_a_member_that_does_not_say_where_it_belongs(
    created: datetime, known_for: float, counts: bool, is_stranger: bool
) -> None:
    undecided = replace(seen("b", rendezvous_uid="", created=created), known_for=known_for)
    liveness = judge(CREATED, [undecided], 5)
    assert (set(liveness.alive), [m.name for m in liveness.strangers]) == (
        {"b"} if counts else set(),
        ["b"] if is_stranger else [],
    )
    assert liveness.losses == ()


def test_one_that_may_yet_say_where_it_belongs_is_looked_at_again_when_its_time_is_over() -> None:
    undecided = replace(seen("b", rendezvous_uid="", created=at(-60)), known_for=4)
    assert judge(CREATED, [undecided], 5).next_silence == pytest.approx(11)


def test_as_soon_as_it_says_where_it_belongs_its_age_does_not_matter() -> None:
    assert set(judge(CREATED, [seen("b", created=at(-60))], 5).alive) == {"b"}


def test_the_next_silence_is_that_of_the_living_member_that_was_heard_longest_ago() -> None:
    members = [seen("a", silence=3), seen("b", silence=11), seen("c", silence=99)]
    assert judge(rendezvous(), members, 5).next_silence == pytest.approx(4)
    assert judge(rendezvous(), [seen("c", silence=99)], 5).next_silence is None


def test_the_limit_grows_with_the_interval() -> None:
    assert set(judge(rendezvous(), [seen("a", silence=29)], 10).alive) == {"a"}


@pytest.mark.parametrize(
    ("silence", "proven", "reason", "suspected"),
    [
        pytest.param(9.9, 0.0, None, False, id="two intervals are not over"),
        pytest.param(10.0, 0.0, None, True, id="after two intervals proof is wanted that the API server serves"),
        pytest.param(600.0, 0.0, None, True, id="without proof no silence is too long: it may be the API server's own"),
        pytest.param(15.0, 4.9, None, False, id="one interval after the proof must be silent too"),
        pytest.param(15.0, 5.0, "HeartbeatLost", False, id="silent for three intervals, the last of them proven"),
        pytest.param(14.9, 5.0, None, False, id="the limit holds with proof too"),
    ],
)
def test_only_silence_after_a_proof_that_the_api_server_serves_makes_a_member_lost(
    silence: float, proven: float, reason: str | None, suspected: bool
) -> None:
    observed = replace(seen("a", silence=silence), proven_silence=proven)
    verdict = judge(rendezvous(), [observed], 5)
    assert [loss.reason for loss in verdict.losses] == ([reason] if reason else [])
    assert verdict.suspects == (("a",) if suspected else ())


def test_the_next_look_is_when_proof_is_wanted_and_then_when_it_is_complete() -> None:
    silent = replace(seen("a", silence=8), proven_silence=0.0)
    assert judge(rendezvous(), [silent], 5).next_silence == pytest.approx(2)
    proven = replace(seen("a", silence=14), proven_silence=2.0)
    assert judge(rendezvous(), [proven], 5).next_silence == pytest.approx(3)


def test_nobody_has_the_rank_of_a_lost_member_by_taking_its_name() -> None:
    before = stands("a b", status={"incarnations": ("uid-of-a", "uid-of-b")})
    liveness = judge(before, [seen("a"), seen("b", uid="another")], 5)
    assert set(liveness.alive) == {"a"}
    assert [(loss.name, loss.reason) for loss in liveness.losses] == [("b", "MemberDeleted")]
    assert [member.uid for member in liveness.namesakes] == ["another"]


def test_in_a_status_of_an_earlier_version_names_are_all_there_is() -> None:
    assert set(judge(stands("a b"), [seen("a"), seen("b", uid="another")], 5).alive) == {"a", "b"}


def test_a_namesake_whose_end_was_seen_is_nobody() -> None:
    before = stands("a b", status={"incarnations": ("uid-of-a", "uid-of-b")})
    assert judge(before, [seen("a"), seen("b", uid="another", deleted=True)], 5).namesakes == ()
