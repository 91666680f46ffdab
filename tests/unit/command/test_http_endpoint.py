"""The sidecar's endpoint: who may do what there, and that nothing hangs."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kube_rendezvous.bounded_connections import MOST_CONNECTIONS
from kube_rendezvous.sidecar.board import Board
from kube_rendezvous.sidecar.http_endpoint import HttpEndpoint, _is_loopback
from kube_rendezvous.sidecar.publication import Publication, SidecarState
from kube_rendezvous.standing_round import StandingRound

FIRST = Publication(1, SidecarState.WAITING, "ns", "run")


@pytest.fixture
def board() -> Board:
    return Board(FIRST, lambda said: None)


@pytest.fixture
def left() -> list[bool]:
    return []


@pytest.fixture(params=["127.0.0.1", "::1"])
def endpoint(request: pytest.FixtureRequest, board: Board, left: list[bool]) -> Iterator[tuple[str, int]]:
    def leave(close: bool) -> bool:
        left.append(close)
        return True

    try:
        server = HttpEndpoint(request.param, 0, board, leave)
    except OSError:
        pytest.skip(f"there is no {request.param} here")
    yield request.param, server.port
    board.end()
    server.close()


def ask(endpoint: tuple[str, int], path: str, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(*endpoint, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def test_a_round_wakes_who_waits_for_it(endpoint: tuple[str, int], board: Board) -> None:
    answers: list[tuple[int, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(endpoint, "/v1/round?after=2")))
    asking.start()
    for number in (2, 3):
        standing = StandingRound("ns", "run", number, 0, 1, "10.0.0.7", 4000)
        board.publish(lambda newest, standing=standing: newest.formed(standing))  # type: ignore[misc]
    asking.join(30)
    assert [(status, said["round"]) for status, said in answers] == [(200, 3)]


def test_the_end_of_the_sidecar_wakes_everybody(endpoint: tuple[str, int], board: Board) -> None:
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(ask(endpoint, "/v1/round?after=2&timeout=600")[0]))
    asking.start()
    board.end()
    asking.join(30)
    assert answers == [204]


def test_to_leave_is_a_post(endpoint: tuple[str, int], left: list[bool]) -> None:
    assert ask(endpoint, "/v1/leave")[0] == 404
    assert left == []
    assert ask(endpoint, "/v1/leave", "POST")[0] == 200
    assert ask(endpoint, "/v1/leave?close=true", "POST")[0] == 200
    assert left == [False, True]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_what_is_not_possible_is_said_in_json(endpoint: tuple[str, int], method: str) -> None:
    status, said = ask(endpoint, "/v1/round", method)
    assert status == 501
    assert method in said["message"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_pod_may_post(address: str) -> None:
    assert _is_loopback(address)


@pytest.mark.parametrize("address", ["10.0.0.7", "0.0.0.0", "::", "fd00::7", "::ffff:10.0.0.7", "", "localhost"])
def test_nobody_else_may(address: str) -> None:
    assert not _is_loopback(address)


def test_who_waits_for_some_seconds_is_answered_at_once_when_the_round_comes(
    endpoint: tuple[str, int], board: Board
) -> None:
    standing = StandingRound("ns", "run", 3, 0, 1, "10.0.0.7", 4000)
    published: list[float] = []

    def publish() -> None:
        published.append(time.monotonic())
        board.publish(lambda newest: newest.formed(standing))

    later = threading.Timer(2.5, publish)
    later.start()
    status, said = ask(endpoint, "/v1/round?after=2&timeout=60")
    assert (status, said["round"]) == (200, 3)
    assert time.monotonic() - published[0] < 15
    later.join()


@pytest.fixture
def crowd(endpoint: tuple[str, int]) -> Iterator[list[socket.socket]]:
    """As many connections as there may be, each of which waits for a round that does not come."""
    family = socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
    waiting = []
    for _ in range(MOST_CONNECTIONS):
        one = socket.socket(family, socket.SOCK_STREAM)
        one.connect(endpoint)
        one.sendall(b"GET /v1/round?after=9&timeout=3600 HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.append(one)
    yield waiting
    for one in waiting:
        one.close()


def test_however_many_wait_a_probe_and_a_question_are_answered(
    endpoint: tuple[str, int], crowd: list[socket.socket]
) -> None:
    assert ask(endpoint, "/livez")[0] == 200
    assert ask(endpoint, "/v1/round")[0] == 200


def test_who_has_left_holds_no_thread(endpoint: tuple[str, int], crowd: list[socket.socket]) -> None:
    for one in crowd:
        one.close()
    end = time.monotonic() + 30
    while _threads_that_serve() > 3 and time.monotonic() < end:
        time.sleep(0.05)
    assert _threads_that_serve() <= 3


def _threads_that_serve() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())
