"""Connections on which nothing comes any more: what hangs on one of them costs its own time limit, and no more."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kube_rendezvous.cluster import ApiUnavailableError, Backoff, Connection, identified_pool

LIMIT_SECONDS = 20.0
SHORT = 0.3
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"kind": "List"}'
WATCH = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers what comes on its connections; those that were open when it fell silent are silent for ever."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.together = threading.Barrier(1)
        self.connections = 0
        self.silent_up_to = 0
        self.line_after = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def fall_silent(self) -> None:
        self.silent_up_to = self.connections

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        while request := connection.recv(65536):
            if number <= self.silent_up_to:
                continue
            if b"watch=1" in request:
                connection.sendall(WATCH)
                time.sleep(self.line_after)
                connection.sendall(b"5\r\nline\n\r\n0\r\n\r\n")
                continue
            self.together.wait(LIMIT_SECONDS)
            connection.sendall(ANSWER)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    from kubernetes import client

    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.port}"
    connection = Connection(configuration, "ns")
    yield connection
    connection.close()


def test_one_request_without_an_answer_is_the_last_one_on_connections_of_that_time(
    server: Server, connection: Connection
) -> None:
    def all_at_once(limit: float) -> None:
        server.together = threading.Barrier(8)  # so that each has a connection of its own
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: connection.request("GET", "/", timeout=limit), range(8)))

    all_at_once(LIMIT_SECONDS)
    server.fall_silent()
    with pytest.raises(ApiUnavailableError):
        connection.request("GET", "/", timeout=SHORT)
    all_at_once(LIMIT_SECONDS / 4)


def test_a_watch_that_does_not_begin_is_given_up_long_before_one_that_is_quiet(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identified_pool, "LONGEST_TO_BEGIN", SHORT, raising=False)
    connection.request("GET", "/")
    server.fall_silent()
    began = time.monotonic()
    with pytest.raises(ApiUnavailableError):
        connection.stream("/", query={"watch": "1"}, silence=LIMIT_SECONDS)
    assert time.monotonic() - began < LIMIT_SECONDS


def test_a_watch_that_has_begun_may_be_quiet_for_longer(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identified_pool, "LONGEST_TO_BEGIN", SHORT, raising=False)
    server.line_after = 4 * SHORT
    stream = connection.stream("/", query={"watch": "1"}, silence=LIMIT_SECONDS)
    assert list(stream.lines()) == [b"line"]
    stream.close()


def test_who_has_hung_goes_on_nearly_at_once() -> None:
    backoff = Backoff(first=0.1, limit=5.0)
    for _ in range(5):
        backoff.next_delay()
    assert backoff.next_delay() >= 2.5
    assert backoff.next_delay(spent=10.0) <= 0.1
    assert backoff.next_delay(at_least=3.0, spent=10.0) == 3.0
