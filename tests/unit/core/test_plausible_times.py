"""Times in a status that nobody's clock could have shown cost a rendezvous nothing but time as its rules know it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import Forming, parse_rendezvous, status_to_json
from kube_rendezvous.resources.failure_policy import FailurePolicy, NoProgress, Quarantine, QuarantinedPlace, RecentLoss
from kube_rendezvous_core import decide
from unit.core.builders import NOW, at, crowd, outcome, round_of, seen, stands

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
POLICY = FailurePolicy(quarantine=Quarantine(2, 604800), no_progress=NoProgress(2, 604800))

ODD_TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-12:00",
    "0000-01-01T00:00:00Z",
    "2026-03-01T12:00:00+99:99",
    "2026-03-01t12:00:00z",
    "2026-03-01T12:00:00x123Z",
]
odd_times = st.sampled_from([*ODD_TIMES, "2026-03-01T12:00:00Z"])


def status_with(time: str, deadline: str, other: str) -> dict[str, Any]:
    """A status with a time in each place that has one."""
    status = round_of(
        "a b",
        forming=Forming(4, "HeartbeatLost", "x fell silent", True, NOW, NOW),
        recent_losses=(RecentLoss("node/n", "x", "HeartbeatLost", NOW),),
        quarantined=(QuarantinedPlace("node/m", NOW, ""),),
    )
    written = status_to_json(status)
    written["forming"] |= {"since": time, "deadline": deadline}
    written["recentLosses"][0]["at"] = other
    written["quarantined"][0]["since"] = other
    written["conditions"][0]["lastTransitionTime"] = other
    written["history"] = [
        {"round": 3, "reason": "HeartbeatLost", "worldSize": 2, "formedAt": other, "formingSeconds": 1.0}
    ]
    return written


@given(odd_times, odd_times, odd_times)
def test_whatever_time_the_api_server_lets_pass_is_decided_on_and_written_back_as_one(
    time: str, deadline: str, other: str
) -> None:
    obj = {
        "metadata": {"namespace": "ns", "name": "run", "uid": "rendezvous-uid", "resourceVersion": "9"},
        "spec": {"minNodes": 2, "maxNodes": 4, "failurePolicy": {"quarantine": {"losses": 2, "windowSeconds": 604800}}},
        "status": status_with(time, deadline, other),
    }
    decision = decide(parse_rendezvous(obj), [seen("a", after_round=3), seen("c")], NOW)
    again = parse_rendezvous({**obj, "status": status_to_json(decision.status)})
    assert again.status == decision.status
    for moment in status_to_json(decision.status)["conditions"]:
        assert len(moment["lastTransitionTime"]) == len("2026-03-01T12:00:00.000000Z"), "the year has four digits"


@pytest.mark.parametrize("since", [at(3600), LATEST, EARLIEST])
def test_a_formation_that_began_in_the_future_waits_no_longer_than_one_that_begins_now(since: datetime) -> None:
    before = stands("a b c", status={"forming": Forming(4, "HeartbeatLost", "x", True, since)})
    members = [*crowd("a b", after_round=3), seen("c")]
    decision = decide(before, members, NOW)
    if decision.status.forming is not None:
        assert decision.status.forming.deadline is not None
        assert decision.status.forming.deadline <= at(60)
        assert decision.wake_after is not None
        assert decision.wake_after <= 60


def test_newcomers_gather_no_longer_than_last_call_although_the_clock_was_set_back() -> None:
    gathering = outcome(stands("a b"), crowd("a b c")).forming
    assert gathering is not None
    an_hour_ago = outcome(stands("a b", status={"forming": gathering}), crowd("a b c"), -3600).forming
    assert an_hour_ago is not None
    assert an_hour_ago.deadline == at(-3600 + 30)
    then = outcome(stands("a b", status={"forming": an_hour_ago}), crowd("a b c"), -3600 + 30).forming
    assert then is not None
    assert then.interrupts, "the world grows"


def test_failures_of_the_future_count_no_longer_than_those_of_now() -> None:
    before = stands(
        "a b", status={"recent_losses": (RecentLoss("node/n", "x", "HeartbeatLost", LATEST),)}, failure_policy=POLICY
    )
    assert outcome(before, crowd("a b")).recent_losses[0].at == NOW
