"""The HTTP end points of the operator: `/livez`, `/readyz`, `/startupz` for the kubelet, `/metrics` for Prometheus.

Each probe answers 200 or 503 with sentences that say why. A process that is not ready is left alone, one that is not
alive is started again: so being without an API server makes nobody dead, and a standby is ready.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET
from socketserver import TCPServer

from kube_rendezvous.bounded_connections import BoundedHTTPServer
from kube_rendezvous.every_address import family_of, listen_on_every_address

_log = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""

_CLIENT_SECONDS = 5.0
_TEXT = "text/plain; charset=utf-8"


class ListenError(Exception):
    """The address cannot be listened on; the text says what to do."""


def probe(complaints: Callable[[], list[str]], well: Callable[[], str]) -> Callable[[], Answer]:
    """A page that is 200 while nobody complains."""

    def answer() -> Answer:
        wrong = complaints()
        status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        return status, _TEXT, ("\n".join(wrong or [well()]) + "\n").encode()

    return answer


def sticky(complaints: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """No more complaints after there were none once: what has started has started."""
    started = threading.Event()

    def ask() -> list[str]:
        if started.is_set():
            return []
        wrong = complaints()
        if not wrong:
            started.set()
        return wrong

    return ask


class Probes:
    """Serves pages by GET on threads of its own.

    Args:
        address: HOST:PORT, [IPV6]:PORT or :PORT for every interface.
        pages: by path.

    Raises:
        ListenError: somebody else listens there, or it is no address.
    """

    def __init__(self, address: str, pages: Mapping[str, Callable[[], Answer]]) -> None:
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        try:
            family = family_of(host) if host else AF_INET
        except OSError as error:
            raise _not_listening(address, error) from error

        class Server(BoundedHTTPServer):
            address_family = family

            def server_bind(self) -> None:
                if host:
                    TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for the host's name, which may be slow
                else:
                    self.socket.close()
                    self.socket = listen_on_every_address(
                        self.request_queue_size, int(port)
                    )  # the kubelet comes by either family
                    self.server_address = self.socket.getsockname()
                self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

        try:
            self._server = Server((host, int(port)), _handler(pages))
        except (OSError, ValueError, OverflowError) as error:
            raise _not_listening(address, error) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="probes", daemon=True)

    @property
    def port(self) -> int:
        """On which it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _not_listening(address: str, error: Exception) -> ListenError:
    return ListenError(
        f"--http {address} cannot be listened on ({error}): give HOST:PORT with a free port, such as 0.0.0.0:8080"
    )


def _handler(pages: Mapping[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS
        server_version = "kube-rendezvous-operator"
        sys_version = ""

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                listing = "".join(f"{path}\n" for path in sorted(pages))
                self._send(HTTPStatus.NOT_FOUND, _TEXT, f"There is only:\n{listing}".encode())
                return
            self._send(*page())

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            _log.debug(format, *args)

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
