"""What is read of Evictions and EvictionRequests."""

from typing import Any

import pytest

from kube_rendezvous_core import ObservedEviction
from kube_rendezvous_core.observed.eviction_reading import RESPONDER, read_eviction, read_eviction_request
from unit.core.builders import NOW

OTHER = "saves.example.com/first"
EVICTOR = "imperative-eviction.k8s.io/evictor"
STARTED = "2026-03-01T12:00:00Z"


def eviction(turns: dict[str, str], ours: dict[str, Any] | None = None, *conditions: str) -> ObservedEviction:
    """Of pod p, with whose turn it is."""
    responders = [{"name": name} | (ours or {} if name == RESPONDER else {}) for name in turns]
    status = {
        "requesters": [
            {"name": "drain.example.com/a", "intent": "Eviction"},
            {"name": "drain.example.com/b", "intent": "Withdrawn"},
        ],
        "targetResponders": [{"name": name, "priority": 1, "state": state} for name, state in turns.items()],
        "responders": responders,
        "conditions": [{"type": kind, "status": "True"} for kind in conditions],
    }
    target = {"pod": {"name": "trainer-0", "uid": "p"}}
    return read_eviction(
        {"metadata": {"name": "e", "resourceVersion": "7"}, "spec": {"target": target}, "status": status}
    )


@pytest.mark.parametrize(
    ("turns", "asks"),
    [
        ({RESPONDER: "Active", EVICTOR: "Inactive"}, True),
        ({RESPONDER: "Completed", EVICTOR: "Active"}, True),
        ({RESPONDER: "Interrupted", EVICTOR: "Active"}, True),
        ({OTHER: "Active", RESPONDER: "Inactive", EVICTOR: "Inactive"}, False),
        ({RESPONDER: "Canceled", EVICTOR: "Inactive"}, False),
        ({EVICTOR: "Active"}, True),
        ({OTHER: "Canceled", EVICTOR: "Inactive"}, False),
        ({}, False),
    ],
)
def test_it_asks_when_our_turn_has_come_or_anybodys_where_the_pod_does_not_name_us(
    turns: dict[str, str], asks: bool
) -> None:
    assert eviction(turns).asks is asks


@pytest.mark.parametrize("over", ["Failed", "TargetEvicted"])
def test_one_that_is_over_asks_for_nothing_and_waits_for_no_answer(over: str) -> None:
    seen = eviction({RESPONDER: "Active", EVICTOR: "Inactive"}, {"startTime": STARTED}, over)
    assert (seen.asks, seen.began) == (False, None)


def test_who_waits_for_our_answer_since_when_and_what_we_have_said() -> None:
    turns = {RESPONDER: "Active", EVICTOR: "Inactive"}
    silent = eviction(turns, {"startTime": STARTED})
    assert silent == ObservedEviction("e", "7", "p", True, "drain.example.com/a", NOW)
    heard = eviction(turns, {"startTime": STARTED, "heartbeatTime": STARTED})
    assert (heard.heard, heard.answered) == (True, False)
    done = eviction(turns, {"startTime": STARTED, "heartbeatTime": STARTED, "completionTime": STARTED})
    assert done.answered
    assert eviction({RESPONDER: "Completed", EVICTOR: "Active"}, {"startTime": STARTED}).began is None


@pytest.mark.parametrize(("intent", "asks"), [("Eviction", True), ("Withdrawn", False)])
def test_a_request_asks_until_it_is_withdrawn(intent: str, asks: bool) -> None:
    spec = {"target": {"pod": {"name": "trainer-0", "uid": "p"}}, "requester": "drain.example.com/a", "intent": intent}
    seen = read_eviction_request({"metadata": {"name": "r", "resourceVersion": "7"}, "spec": spec})
    assert seen == ObservedEviction("r", "7", "p", asks, "drain.example.com/a")


def test_what_targets_no_pod_is_read() -> None:
    seen = read_eviction_request({"metadata": {"name": "r", "resourceVersion": "7"}, "spec": {"intent": "Eviction"}})
    assert (seen.pod_uid, seen.requesters) == ("", "")
