"""Kubernetes Events: each once, in order, and never in the way of a round."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.resources import Rendezvous, parse_rendezvous
from kube_rendezvous_core import Announcement, Severity
from kube_rendezvous_operator.shell.reconciling import event_poster
from kube_rendezvous_operator.shell.reconciling.event_poster import EventPoster
from unit.scripted_connection import Answer, Asked, ScriptedConnection
from unit.shell.objects import UID, raw_rendezvous

FORMED = Announcement(Severity.NORMAL, "RoundFormed", "Round 1 stands")
LOST = Announcement(Severity.WARNING, "HeartbeatLost", "b is silent")


@pytest.fixture
def rendezvous() -> Rendezvous:
    return parse_rendezvous(raw_rendezvous(1))


@pytest.fixture
def connection() -> ScriptedConnection:
    return ScriptedConnection({("POST", "/events"): [{}]})


@pytest.fixture
def poster(connection: ScriptedConnection) -> Iterator[EventPoster]:
    """Not started yet; ended with the test."""
    poster = EventPoster(connection)  # type: ignore[arg-type]
    yield poster
    if "event-poster" in {thread.name for thread in threading.enumerate()}:
        poster.stop()


def posted(connection: ScriptedConnection) -> list[str]:
    return [asked.body["reason"] for asked in connection.asked]


def test_events_are_posted_in_order_each_once_and_the_last_ones_before_the_end(
    poster: EventPoster, connection: ScriptedConnection, rendezvous: Rendezvous
) -> None:
    poster.start()
    for announcement in (FORMED, LOST, FORMED):
        poster.post(rendezvous, announcement)
    poster.stop()
    assert posted(connection) == ["RoundFormed", "HeartbeatLost", "RoundFormed"]


def test_an_event_is_about_the_rendezvous_and_says_how_grave_it_is(
    poster: EventPoster, connection: ScriptedConnection, rendezvous: Rendezvous
) -> None:
    poster.start()
    poster.post(rendezvous, LOST)
    poster.stop()
    (asked,) = connection.asked
    assert asked.path == "/api/v1/namespaces/ns/events"
    assert asked.body["type"] == "Warning"
    assert asked.body["message"] == "b is silent"
    assert asked.body["involvedObject"] == {
        "apiVersion": "rendezvous.dev/v1alpha1",
        "kind": "Rendezvous",
        "namespace": "ns",
        "name": "run",
        "uid": UID,
    }


def test_a_long_message_is_cut_to_what_an_event_may_hold(
    poster: EventPoster, connection: ScriptedConnection, rendezvous: Rendezvous
) -> None:
    poster.start()
    poster.post(rendezvous, Announcement(Severity.NORMAL, "Long", "x" * 2000))
    poster.stop()
    assert connection.asked[0].body["message"] == "x" * 1024


def test_an_event_that_cannot_be_posted_is_logged_and_the_next_one_is_posted(
    poster: EventPoster, connection: ScriptedConnection, rendezvous: Rendezvous, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Answer] = [ApiUnavailableError("POST", 503, "", "not ready"), {}]
    connection.answers[("POST", "/events")] = answers
    poster.start()
    with caplog.at_level(logging.WARNING, "kube_rendezvous_operator"):
        poster.post(rendezvous, LOST)
        poster.post(rendezvous, FORMED)
        poster.stop()
    assert posted(connection) == ["HeartbeatLost", "RoundFormed"]
    assert "An Event could not be posted" in caplog.text
    assert "b is silent" in caplog.text


def test_when_very_many_wait_the_newest_are_dropped_and_nobody_is_held_up(
    connection: ScriptedConnection,
    rendezvous: Rendezvous,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_poster, "_BACKLOG", 2)
    poster = EventPoster(connection)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "kube_rendezvous_operator"):
        for _ in range(3):
            poster.post(rendezvous, LOST)
    assert caplog.messages == ["Too many Events wait; dropped: b is silent"]


def test_nothing_that_posting_raises_ends_the_thread(
    poster: EventPoster, connection: ScriptedConnection, rendezvous: Rendezvous, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = [ValueError("no JSON"), KeyError("x")]

    def answer(_: Asked) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return {}

    connection.answers[("POST", "/events")] = [answer]
    poster.start()
    for announcement in (FORMED, LOST, FORMED):
        poster.post(rendezvous, announcement)
    end = time.monotonic() + 10
    while len(connection.asked) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    poster.stop()
    assert posted(connection) == ["RoundFormed", "HeartbeatLost", "RoundFormed"]
    assert poster.thread.complaint == ""


def test_one_namespace_does_not_take_the_room_of_the_others(
    connection: ScriptedConnection, rendezvous: Rendezvous, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_poster, "_BACKLOG_OF_A_NAMESPACE", 2)
    poster = EventPoster(connection)  # type: ignore[arg-type]
    for _ in range(5):
        poster.post(rendezvous, LOST)
    poster.post(replace(rendezvous, namespace="another"), FORMED)
    poster.start()
    poster.stop()
    assert posted(connection) == ["HeartbeatLost", "HeartbeatLost", "RoundFormed"]
