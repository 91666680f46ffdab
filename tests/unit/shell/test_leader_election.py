"""The thread around the Lease: what it sends, whom it tells, and what it says when it may not."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous_operator.shell.leading.leader_election import LeaderElection, NotLeadingError
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses
from unit.scripted_connection import Answer, Asked, ScriptedConnection

LIMIT_SECONDS = 30.0
NONE = ApiRefusedError("GET", 404, "NotFound", "there is none")
CONFLICT = ApiUnavailableError("PUT", 409, "Conflict", "modified")


def stored(asked: Asked) -> dict[str, Any]:
    """As the API server answers a write."""
    version = str(int(asked.body["metadata"].get("resourceVersion", 0)) + 1)
    return {**asked.body, "metadata": {**asked.body["metadata"], "resourceVersion": version}}


def lease_of(holder: str, seconds: int = 15) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": "2026-03-01T12:00:00.000000Z"}
    return {"metadata": {"resourceVersion": "7"}, "spec": spec}


class Elected:
    """An election over a script, and what it told."""

    def __init__(self, answers: dict[tuple[str, str], list[Answer]], seconds: int = 15) -> None:
        self.connection = ScriptedConnection(answers)
        self.won, self.lost, self.set_back = threading.Event(), threading.Event(), threading.Event()
        self.election = LeaderElection(
            self.connection,  # type: ignore[arg-type]
            "ns",
            "operator",
            "me",
            seconds,
            on_elected=self.won.set,
            on_lost=self.lost.set,
            on_set_back=self.set_back.set,
            pulses=Pulses(),
        )
        self.election.start()


Elect = Callable[..., Elected]


@pytest.fixture
def elect() -> Iterator[Elect]:
    made: list[Elected] = []

    def start(answers: dict[tuple[str, str], list[Answer]], seconds: int = 15) -> Elected:
        made.append(Elected(answers, seconds))
        return made[-1]

    yield start
    for one in made:
        one.election.end_term()
        one.election.stop()


def test_it_makes_the_lease_leads_and_gives_it_back(elect: Elect) -> None:
    one = elect(
        {("GET", "/leases/operator"): [NONE], ("POST", "/leases"): [stored], ("PUT", "/leases/operator"): [stored]}
    )
    assert one.won.wait(LIMIT_SECONDS)
    one.election.permit()
    assert one.connection.methods == ["GET", "POST"]
    made = one.connection.asked[1]
    assert made.path == "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    assert made.body["spec"] | {"acquireTime": "", "renewTime": ""} == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "",
        "renewTime": "",
        "leaseTransitions": 0,
    }
    one.election.stop()
    with pytest.raises(NotLeadingError):
        one.election.permit()
    given_back = one.connection.asked[-1]
    assert (given_back.method, given_back.body["spec"]["holderIdentity"]) == ("PUT", "")
    assert given_back.body["metadata"]["resourceVersion"] == "1", "fenced"


def test_nothing_is_permitted_from_the_end_of_the_term_on_although_the_lease_is_not_given_back_yet(
    elect: Elect,
) -> None:
    one = elect({("GET", "/leases/operator"): [lease_of("")], ("PUT", "/leases/operator"): [stored]})
    assert one.won.wait(LIMIT_SECONDS)
    one.election.end_term()
    with pytest.raises(NotLeadingError):
        one.election.permit()
    assert all(asked.body is None or asked.body["spec"]["holderIdentity"] == "me" for asked in one.connection.asked)


def test_who_is_overtaken_stops_for_good(elect: Elect) -> None:
    one = elect(
        {
            ("GET", "/leases/operator"): [lease_of(""), lease_of("other")],
            ("PUT", "/leases/operator"): [stored, CONFLICT],
        },
        2,
    )
    assert one.won.wait(LIMIT_SECONDS)
    assert one.lost.wait(LIMIT_SECONDS)
    assert one.election.holder == "other"
    with pytest.raises(NotLeadingError):
        one.election.permit()


def test_whose_lease_is_older_than_what_it_wrote_says_that_the_storage_was_set_back(elect: Elect) -> None:
    one = elect(
        {
            ("GET", "/leases/operator"): [lease_of(""), lease_of("me")],
            ("PUT", "/leases/operator"): [stored, CONFLICT],
        },
        2,
    )
    assert one.won.wait(LIMIT_SECONDS)
    assert one.set_back.wait(LIMIT_SECONDS)
    assert not one.lost.is_set()
    with pytest.raises(NotLeadingError):
        one.election.permit()


def test_without_the_right_it_says_once_what_is_missing(elect: Elect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    asked_thrice = threading.Event()
    count = [0]

    def refuse(_: Asked) -> dict[str, Any]:
        count[0] += 1
        if count[0] >= 3:
            asked_thrice.set()
        raise ApiRefusedError("GET /leases", 403, "Forbidden", "may not")

    one = elect({("GET", "/leases/operator"): [refuse]}, 2)
    assert asked_thrice.wait(LIMIT_SECONDS)
    assert not one.won.is_set()
    assert not one.election.reached.is_set()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "get, create and update on leases.coordination.k8s.io in namespace ns" in line
