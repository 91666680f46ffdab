"""The two custom resources are parsed once, at the border, and written so that parsing gives the same again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import (
    Closed,
    LateJoiners,
    MalformedMemberError,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
    Reopen,
    State,
    member_manifest,
    parse_member,
    parse_rendezvous,
    spec_to_json,
    status_to_json,
)
from kube_rendezvous.resources.failure_policy import (
    FailurePolicy,
    NoProgress,
    Quarantine,
    QuarantinedPlace,
    RecentLoss,
    places_at,
)
from kube_rendezvous.resources.timestamps import format_time, parse_time
from unit.core.builders import NOW, at, crowd, outcome, rendezvous, round_of, seen, stands, told

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def rendezvous_json(spec: dict[str, Any], status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    meta = {"namespace": "ml", "name": "run", "uid": "u", "resourceVersion": "9", "generation": 2} | metadata
    return {"metadata": meta, "spec": spec} | ({"status": status} if status is not None else {})


STATUSES = {
    "empty": RendezvousStatus(),
    "first join": outcome(rendezvous(), crowd("a")),
    "last call": outcome(rendezvous(), crowd("a b"), 0.123456),
    "active": outcome(rendezvous(), crowd("a b c d e")),
    "reforming": outcome(stands("a b c"), [seen("a", after_round=3), seen("b")]),
    "second round": outcome(stands("a b c", status={"forming": told()}), crowd("a c x y", after_round=3), 7.0001),
    "closed": round_of("a b", closed=Closed("a", at(0.5), "ClosedByMember", "done", True)),
    "closed by policy": round_of(
        "a b", closed=Closed("spec.failurePolicy", at(0.5), "ClosedByFailurePolicy", "it failed", interrupts=True)
    ),
    "spares and surplus": round_of("a b", standby=3, spares=("c", "d"), surplus=("e",), opened_after=2),
    "with incarnations": round_of("a b", incarnations=("0123abcd", "4567abcd")),
    "quarantine": round_of(
        "a b",
        recent_losses=(RecentLoss("node/gpu-7", "x", "HeartbeatLost", at(-3.25)), RecentLoss("slot/3", "", "", NOW)),
        quarantined=(QuarantinedPlace("node/gpu-7", at(-1), "why"), QuarantinedPlace("slot/3", NOW, "")),
    ),
}


@pytest.mark.parametrize("status", STATUSES.values(), ids=STATUSES.keys())
def test_what_is_written_as_status_is_read_back_equal(status: RendezvousStatus) -> None:
    written = status_to_json(status)
    assert parse_rendezvous(rendezvous_json({"minNodes": 2}, written)).status == status
    assert written["worldSize"] == len(status.ranks)


@given(
    st.builds(
        RendezvousSpec,
        min_nodes=st.integers(1, 99),
        max_nodes=st.integers(1, 99),
        node_unit=st.integers(1, 9),
        late_joiners=st.sampled_from(LateJoiners),
        reopen=st.sampled_from(Reopen),
        closed=st.booleans(),
        max_spares=st.none() | st.integers(0, 9),
        failure_policy=st.builds(
            FailurePolicy,
            quarantine=st.none() | st.builds(Quarantine, st.integers(1, 20), st.integers(1, 999)),
            max_rounds=st.none() | st.integers(1, 99),
            no_progress=st.none() | st.builds(NoProgress, st.integers(2, 10), st.integers(1, 999)),
        ),
    )
)
def test_what_is_written_as_spec_is_read_back_equal(spec: RendezvousSpec) -> None:
    assert parse_rendezvous(rendezvous_json(spec_to_json(spec))).spec == spec


def test_a_rendezvous_without_optional_fields_has_the_documented_defaults() -> None:
    read = parse_rendezvous(rendezvous_json({"minNodes": 3}))
    assert read == Rendezvous("ml", "run", "u", "9", 2, RendezvousSpec(3, 3), RendezvousStatus())
    assert (read.spec.node_unit, read.spec.last_call_seconds, read.spec.heartbeat_seconds) == (1, 30, 5)
    assert (read.spec.late_joiners, read.spec.reopen, read.status.state) == ("Restart", "WhenEmpty", State.WAITING)


def test_what_is_not_used_is_not_written() -> None:
    written = status_to_json(round_of("a b", closed=Closed("a", NOW, "ClosedByMember", "done")))
    unused = {"spares", "surplus", "openedAfter", "recentLosses", "quarantined"}
    assert not unused & written.keys()
    assert "interrupts" not in written["closed"]
    assert not {"standby", "failurePolicy"} & spec_to_json(RendezvousSpec(2, 2)).keys()


def test_a_bound_of_no_spares_is_not_the_same_as_no_bound() -> None:
    none_wanted = {"minNodes": 2, "standby": {"max": 0}}
    assert parse_rendezvous(rendezvous_json(none_wanted)).spec.max_spares == 0
    assert parse_rendezvous(rendezvous_json({"minNodes": 2, "standby": {}})).spec.max_spares is None


@pytest.mark.parametrize(
    ("annotations", "places"),
    [
        ({}, set()),
        ({"rendezvous.dev/trusted-places": ""}, set()),
        ({"rendezvous.dev/trusted-places": "slot/3"}, {"slot/3"}),
        ({"rendezvous.dev/trusted-places": " node/gpu-7 ,slot/3,, "}, {"node/gpu-7", "slot/3"}),
        ({"another": "slot/3"}, set()),
    ],
)
def test_trusted_places_are_read_from_the_annotation(annotations: dict[str, str], places: set[str]) -> None:
    assert parse_rendezvous(rendezvous_json({"minNodes": 1}, annotations=annotations)).trusted_places == places


@pytest.mark.parametrize(
    ("node_name", "slot", "places"),
    [("", "", set()), ("gpu-7", "", {"node/gpu-7"}), ("", "0", {"slot/0"}), ("n", "s", {"node/n", "slot/s"})],
)
def test_the_places_of_a_node_have_the_names_that_the_annotation_takes(
    node_name: str, slot: str, places: set[str]
) -> None:
    assert places_at(node_name, slot) == places


def test_a_state_that_a_newer_operator_has_written_does_not_make_the_rendezvous_unreadable() -> None:
    assert parse_rendezvous(rendezvous_json({"minNodes": 1}, {"state": "Pausing", "round": 4})).status.round == 4


def test_a_rendezvous_that_is_being_deleted_says_so() -> None:
    assert parse_rendezvous(rendezvous_json({"minNodes": 1}, deletionTimestamp="2026-03-01T12:00:00Z")).being_deleted


def member_json(**spec: Any) -> dict[str, Any]:
    body = {"rendezvous": "run", "rendezvousUID": "u", "address": "10.0.0.1", "port": 4000} | spec
    meta = {
        "namespace": "ml",
        "name": "n-1-x7k2p",
        "uid": "m",
        "resourceVersion": "5",
        "creationTimestamp": "2026-03-01T12:00:00Z",
    }
    return {"metadata": meta, "spec": {key: value for key, value in body.items() if value is not ...}}


def test_a_member_is_read() -> None:
    read = parse_member(member_json(slot="3", afterRound=7, leaving=True, closeRequested=True, closeReason="done"))
    assert (read.name, read.rendezvous, read.rendezvous_uid, read.port) == ("n-1-x7k2p", "run", "u", 4000)
    assert (read.slot, read.after_round, read.leaving, read.close_requested) == ("3", 7, True, True)
    assert (read.close_reason, read.created, read.pod_uid) == ("done", NOW, "")
    assert not read.preparing
    assert parse_member(member_json(leaving=True, preparing=True)).preparing


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"port": -1}, "spec.port is -1, not a number from 1 to 65535"),
        ({"port": 65536}, "spec.port is 65536, not a number from 1 to 65535"),
        ({"port": ...}, "spec.port is 0, not a number from 1 to 65535"),
        ({"port": "4000"}, "spec.port is '4000', not a number"),
        ({"port": True}, "spec.port is True, not a number"),
        ({"afterRound": -1}, "spec.afterRound is -1, not a number from 0"),
        ({"rendezvous": ...}, "spec.rendezvous is '', not a name"),
        ({"rendezvousUID": 7}, "spec.rendezvousUID is 7, not a name"),
        ({"address": 7}, "spec.address is 7, not a name"),
        ({"slot": ["x"]}, r"spec.slot is \['x'\], not a name"),
    ],
)
def test_a_malformed_member_is_refused_with_its_name_and_the_field(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MalformedMemberError, match=f"RendezvousMember ml/n-1-x7k2p: {sentence}"):
        parse_member(member_json(**spec))


@pytest.mark.parametrize("field", ["namespace", "name", "uid", "resourceVersion", "creationTimestamp"])
def test_a_member_without_metadata_is_refused(field: str) -> None:
    obj = member_json()
    del obj["metadata"][field]
    with pytest.raises(MalformedMemberError, match="its metadata cannot be read"):
        parse_member(obj)


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"creationTimestamp": 5}, "spec": {}},
        {"metadata": {"creationTimestamp": "yesterday"}, "spec": {}},
        {"metadata": {"name": "x"}, "spec": "garbage"},
        {"metadata": "garbage", "spec": {}},
    ],
)
def test_garbage_is_refused_as_malformed_and_as_nothing_else(obj: dict[str, Any]) -> None:
    with pytest.raises(MalformedMemberError):
        parse_member(obj)


def test_the_manifest_of_a_member_is_read_back() -> None:
    manifest = member_manifest(
        name="n-1-x7k2p",
        rendezvous="run",
        rendezvous_uid="u",
        address="::1",
        port=1,
        renew_time=NOW,
        pod_name="n-1",
        pod_uid="p",
        slot="4",
    )
    assert manifest["metadata"]["name"] == "n-1-x7k2p"
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "p"
    manifest["metadata"] |= member_json()["metadata"]
    read = parse_member(manifest)
    assert (read.address, read.pod_name, read.pod_uid, read.slot, read.after_round) == ("::1", "n-1", "p", "4", 0)
    assert parse_time(read.renew_time) == NOW


def test_a_member_that_does_not_know_yet_where_it_belongs_does_not_say_so() -> None:
    manifest = member_manifest(name="h-1", rendezvous="run", rendezvous_uid="", address="h", port=1, renew_time=NOW)
    assert "rendezvousUID" not in manifest["spec"]
    manifest["metadata"] |= member_json()["metadata"]
    assert parse_member(manifest).rendezvous_uid == ""


def test_a_rendezvous_knows_when_it_was_created() -> None:
    created = "2026-03-01T12:00:00Z"
    assert parse_rendezvous(rendezvous_json({"minNodes": 1}, creationTimestamp=created)).created == NOW


def test_a_member_outside_a_pod_has_no_owner() -> None:
    manifest = member_manifest(name="h-1", rendezvous="run", rendezvous_uid="u", address="h", port=1, renew_time=NOW)
    assert "ownerReferences" not in manifest["metadata"]
    assert "podUID" not in manifest["spec"]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000Z"),
        ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000Z"),
        ("2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00.000000Z"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000000Z"),
    ],
)
def test_timestamps_are_read_in_every_form_and_written_in_one(text: str, same: str) -> None:
    assert format_time(parse_time(text)) == same


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("0001-01-01T00:00:00+14:00", EARLIEST, id="before the calendar of Python begins in UTC"),
        pytest.param("9999-12-31T23:59:59-12:00", LATEST, id="after it ends"),
        pytest.param("0000-01-01T00:00:00Z", EARLIEST, id="year 0"),
        pytest.param("2026-03-01T12:00:00+99:99", NOW, id="an offset of days"),
        pytest.param("2026-03-01t12:00:00z", NOW, id="small letters"),
        pytest.param("2026-03-01T12:00:00x5Z", NOW, id="what only the API server takes for a fraction"),
    ],
)
def test_a_time_that_only_the_api_server_can_read_is_the_nearest_that_can_be_counted_with(
    text: str, read: datetime
) -> None:
    assert parse_time(text) == read
    assert parse_time(format_time(read)) == read


@pytest.mark.parametrize("text", ["", "soon", "2026-03-01T12:00:00Z; more"])
def test_what_is_no_time_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="is no time such as"):
        parse_time(text)
