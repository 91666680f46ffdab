"""How answers to evictions are written: fenced, once, and never again and again."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous_core import EvictionAnswer, ObservedEviction
from kube_rendezvous_operator.shell.reconciling.eviction_answerer import (
    AGAIN_SECONDS,
    REFUSED_SECONDS,
    EvictionAnswerer,
)
from unit.core.builders import NOW, at
from unit.scripted_connection import ScriptedConnection
from unit.shell.fake_clock import Clock

KEY = ("ns", "run")
PATH = "/apis/lifecycle.k8s.io/v1alpha1/namespaces/ns/evictions/e/status"
EVICTION = ObservedEviction("e", "7", "p", asks=True, began=NOW)
DONE = EvictionAnswer(EVICTION, "It may go.", NOW, completes=True)
HEARD = EvictionAnswer(EVICTION, "Under way.", NOW, completes=False, expected=at(90))


@pytest.fixture
def connection() -> ScriptedConnection:
    return ScriptedConnection({("PATCH", PATH): [{}]})


@pytest.fixture
def answerer(connection: ScriptedConnection, clock: Clock) -> EvictionAnswerer:
    return EvictionAnswerer(connection)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (DONE, {"completionTime": "2026-03-01T12:00:00Z", "message": "It may go."}),
        (HEARD, {"expectedCompletionTime": "2026-03-01T12:01:30Z", "message": "Under way."}),
    ],
)
def test_it_is_fenced_by_the_version_that_it_answers_to(
    answerer: EvictionAnswerer, connection: ScriptedConnection, answer: EvictionAnswer, said: dict[str, Any]
) -> None:
    assert answerer.answer(KEY, [answer]) is None
    responder = {"name": "rendezvous.dev/operator", "heartbeatTime": "2026-03-01T12:00:00Z"} | said
    assert connection.asked[0].body == {
        "metadata": {"resourceVersion": "7"},
        "status": {"responders": [responder]},
    }


def test_one_version_is_answered_once(answerer: EvictionAnswerer, connection: ScriptedConnection) -> None:
    for _ in range(3):
        answerer.answer(KEY, [DONE])
    assert len(connection.asked) == 1
    answerer.answer(KEY, [replace(DONE, eviction=replace(EVICTION, version="8"))])
    assert len(connection.asked) == 2


@pytest.mark.parametrize(
    ("failure", "rest", "lines"),
    [
        (ApiRefusedError("PATCH", 403, "Forbidden", "no right"), REFUSED_SECONDS, 1),
        (ApiUnavailableError("PATCH", 500, "", "away"), AGAIN_SECONDS, 1),
        (ApiUnavailableError("PATCH", 409, "Conflict", "it has changed"), None, 0),
        (ApiRefusedError("PATCH", 404, "NotFound", "it is gone"), None, 0),
    ],
)
def test_what_does_not_get_through_is_tried_again_after_a_rest_and_holds_nobody_up(
    answerer: EvictionAnswerer,
    connection: ScriptedConnection,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    failure: ApiFailureError,
    rest: float | None,
    lines: int,
) -> None:
    connection.answers["PATCH", PATH] = [failure]
    with caplog.at_level(logging.INFO):
        assert answerer.answer(KEY, [DONE]) == rest
        if rest is not None:
            clock.now += 1
            assert answerer.answer(KEY, [DONE]) == rest - 1
            assert len(connection.asked) == 1
            clock.now += rest
            answerer.answer(KEY, [DONE])
            assert len(connection.asked) == 2
            caplog.records.pop()
    assert len(caplog.records) == lines
