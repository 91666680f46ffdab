"""Failures of requests, told apart by whether they may pass."""

from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.failures import failure_of

WHAT = "POST /apis/x"


@pytest.mark.parametrize("status", [408, 409, 410, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_unavailable(status: int) -> None:
    assert isinstance(failure_of(WHAT, status, {}, {}), ApiUnavailableError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422])
def test_what_will_not_change_is_refused(status: int) -> None:
    assert isinstance(failure_of(WHAT, status, {}, {}), ApiRefusedError)


def test_the_servers_reason_and_sentence_are_kept() -> None:
    failure = failure_of(WHAT, 403, {"reason": "Forbidden", "message": "you may not"}, {})
    assert (failure.status, failure.reason, failure.message) == (403, "Forbidden", "you may not")
    assert str(failure) == "POST /apis/x: 403 Forbidden: you may not"


def test_an_answer_that_is_no_status_object_is_kept_as_text_within_bounds() -> None:
    failure = failure_of(WHAT, 502, " <html>" + "x" * 1000, {})
    assert failure.reason == ""
    assert failure.message.startswith("<html>")
    assert len(failure.message) <= 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": ""}, 0.0),
        ({"Retry-After": "Wed, 21 Oct"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "nan"}, 0.0),
        ({"Retry-After": "3600"}, 5.0),
        ({"Retry-After": "1e12"}, 5.0),
    ],
)
def test_the_pause_that_the_server_asks_for_is_read(headers: dict[str, Any], seconds: float) -> None:
    assert failure_of(WHAT, 429, {}, headers).retry_after == seconds


def test_no_answer_is_said_so() -> None:
    assert str(ApiUnavailableError("GET /x", 0, "", "timed out")) == "GET /x: no answer: timed out"
