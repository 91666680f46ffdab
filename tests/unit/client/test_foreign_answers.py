"""Answers that no API server gives: a redirect, a page, a list where an object should be."""

from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.failures import failure_of, foreign_answer


def test_a_redirect_is_refused_and_says_where_it_leads() -> None:
    failure = failure_of("GET /x", 302, "", {"Location": "https://login.example.org/"})
    assert isinstance(failure, ApiRefusedError)
    assert "a redirect to https://login.example.org/, which an API server does not send" in failure.message


def test_a_page_says_what_it_is_and_how_it_begins() -> None:
    failure = foreign_answer("GET /x", 200, {"Content-Type": "text/html"}, b"<html>be patient" + b"!" * 500)
    assert isinstance(failure, ApiUnavailableError)
    assert "no JSON but text/html, beginning with '<html>be patient!!" in failure.message
    assert len(failure.message) < 250


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("86400", 60.0), ("inf", 60.0), ("nan", 0.0), ("-3", 0.0), ("2.5", 2.5)],
)
def test_a_pause_that_no_node_can_afford_is_shortened(asked: str, seconds: float) -> None:
    headers: dict[str, Any] = {"Retry-After": asked}
    assert failure_of("GET /x", 429, {}, headers).retry_after == seconds
