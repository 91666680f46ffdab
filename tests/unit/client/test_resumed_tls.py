"""A connection beside an open watch goes on with its TLS session; who does not know that makes a whole handshake."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kube_rendezvous.cluster import ApiUnavailableError, Connection
from rendezvous_local.node.certificates import make_server_certificate

PATH = "/api/v1/things"


class ApiServer(http.server.ThreadingHTTPServer):
    """Each has keys of its own for its sessions, as each API server has.

    Args:
        folder: of its certificate.
        port: where; 0: anywhere.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Answering)
        self.over = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        self.send_response(200)
        if "watch=1" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.server.over.wait(60)
            with contextlib.suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")
            return
        body = b'{"kind": "List"}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_server_certificate(folder, "127.0.0.1")
    return folder


@pytest.fixture
def server(certificates: Path) -> Iterator[ApiServer]:
    server = ApiServer(certificates)
    yield server
    server.end()


@pytest.fixture
def connect(server: ApiServer, certificates: Path) -> Callable[[], Connection]:
    """Each has the same credentials."""
    return lambda: open_connection(server, certificates)


@pytest.fixture
def connection(connect: Callable[[], Connection]) -> Connection:
    return connect()


def open_connection(server: ApiServer, certificates: Path) -> Connection:
    from kubernetes import client

    configuration = client.Configuration()
    configuration.host = f"https://127.0.0.1:{server.server_address[1]}"
    configuration.ssl_ca_cert = str(certificates / "authority.crt")
    return Connection(configuration, "ns")


def idle(connection: Connection) -> ssl.SSLSocket:
    """The one connection that waits for the next request."""
    sockets = [one.sock for one in connection._credentials._connections.pool.queue if one is not None]
    (sock,) = (sock for sock in sockets if sock is not None)
    assert isinstance(sock, ssl.SSLSocket)
    return sock


def ask(connection: Connection) -> bool:
    """Whether the request's connection has gone on with a session of before."""
    connection.request("GET", PATH)
    return bool(idle(connection).session_reused)


def test_the_connection_beside_a_watch_goes_on_with_its_session(connection: Connection) -> None:
    with contextlib.closing(connection.stream(PATH, query={"watch": "1"}, silence=60)):
        assert ask(connection)


def test_what_another_has_opened_with_the_same_credentials_is_not_gone_on_with(
    connect: Callable[[], Connection],
) -> None:
    with contextlib.closing(connect().stream(PATH, query={"watch": "1"}, silence=60)):
        assert not ask(connect())


def test_without_a_watch_every_connection_is_one_of_its_own(connection: Connection) -> None:
    assert not ask(connection)


def test_another_api_server_at_the_same_address_makes_a_whole_handshake(
    connection: Connection, server: ApiServer, certificates: Path
) -> None:
    with contextlib.closing(connection.stream(PATH, query={"watch": "1"}, silence=60)):
        server.end()
        successor = ApiServer(certificates, server.server_address[1])
        assert not ask(connection)
        successor.end()


def test_a_session_is_forgotten_when_tls_fails(
    connection: Connection, server: ApiServer, certificates: Path, tmp_path: Path
) -> None:
    """Whatever may be wrong with it, the next try does not depend on it."""
    with contextlib.closing(connection.stream(PATH, query={"watch": "1"}, silence=60)):
        server.end()
        make_server_certificate(tmp_path, "127.0.0.1")
        stranger = ApiServer(tmp_path, server.server_address[1])
        with pytest.raises(ApiUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            connection.request("GET", PATH)
        stranger.end()
        assert connection._credentials._tls_sessions._by_name == {}
