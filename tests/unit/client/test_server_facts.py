"""What an API server tells of itself, and what is not one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.cluster.server_facts import read_facts

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


@dataclass
class Response:
    """An answer."""

    data: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Date": DATE})
    status: int = 200


def test_version_and_clock_are_read() -> None:
    facts = read_facts(Response(b'{"major": "1", "minor": "31+"}'))
    assert (facts.version, facts.time) == ((1, 31), datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize("headers", [{}, {"Date": "now"}])
def test_a_server_without_a_clock_tells_none(headers: dict[str, str]) -> None:
    assert read_facts(Response(b'{"major": "1", "minor": "37"}', headers)).time is None


@pytest.mark.parametrize("data", [b"<html>", b"[]", b"{}", b'{"major": 1, "minor": 2}', b'{"major": "", "minor": ""}'])
def test_what_is_no_api_server_is_not_taken_for_one(data: bytes) -> None:
    with pytest.raises(ApiUnavailableError):
        read_facts(Response(data))
