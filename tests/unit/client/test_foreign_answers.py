"""What answers in the place of the API server, a page, a redirect, a list, is a failure that says so."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.failures import failure_of, foreign_answer

HTML = b"<html><body>Log in \x1b[31mfirst</body></html>"


class Answers(BaseHTTPRequestHandler):
    """Answers every request with what the test says."""

    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")

    def do_GET(self) -> None:
        # To close with something unread is a reset, which may overtake the answer.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = type(self).answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    from kubernetes import client

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_address[1]}"
    connection = Connection(configuration, "ns")
    yield connection
    connection.close()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HTML, id="a page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"kind": "Rendez', id="a half line"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="an object that is no Kubernetes object"),
        pytest.param(b'{"kind": 5}', id="a kind that is none"),
        pytest.param(b"[" * 100_000, id="lists without end"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_an_answer_with_200_that_is_no_kubernetes_object_may_pass(
    connection: Connection, method: str, body: bytes
) -> None:
    Answers.answer = (200, {"Content-Type": "text/html"}, body)
    with pytest.raises(ApiUnavailableError) as raised:
        connection.request(method, "/apis/x", body={} if method != "GET" else None)
    assert f"{method} /apis/x: 200: no Kubernetes object but text/html" in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_the_answer_of_an_api_server_is_given_as_it_is(connection: Connection) -> None:
    Answers.answer = (200, {}, json.dumps({"kind": "Status", "status": "Success"}).encode())
    assert connection.request("GET", "/apis/x") == {"kind": "Status", "status": "Success"}


@pytest.mark.parametrize("said", ["3600", "1e12", "inf"])
def test_no_pause_that_anybody_asks_for_is_longer_than_heartbeats_may_be_missed(
    connection: Connection, said: str
) -> None:
    Answers.answer = (429, {"Retry-After": said}, b"slow down")
    with pytest.raises(ApiUnavailableError) as raised:
        connection.request("GET", "/apis/x")
    assert 0 < raised.value.retry_after <= 5


def test_a_redirect_is_refused_and_says_where_it_leads() -> None:
    failure = failure_of("GET /x", 302, "", {"Location": "https://login.example.org/"})
    assert isinstance(failure, ApiRefusedError)
    assert "a redirect to https://login.example.org/, which an API server does not send" in failure.message


def test_a_page_says_what_it_is_and_how_it_begins() -> None:
    failure = foreign_answer("GET /x", 200, {"Content-Type": "text/html"}, b"<html>be patient" + b"!" * 500)
    assert isinstance(failure, ApiUnavailableError)
    assert "no Kubernetes object but text/html, beginning with '<html>be patient!!" in failure.message
    assert len(failure.message) < 250
