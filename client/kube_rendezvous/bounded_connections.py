"""A small HTTP server that nobody can fill: at so many connections the oldest makes room for the newest."""

import contextlib
import select
import socket
import threading
from http.server import ThreadingHTTPServer
from typing import Any

MOST_CONNECTIONS = 128


class BoundedHTTPServer(ThreadingHTTPServer):
    """As its base; each connection has a thread, and there are so many at the most. Connections of this machine's own
    loopback are the last to go: whoever sits in the same pod is not shut out by the rest of the cluster."""

    daemon_threads = True
    request_queue_size = 32
    most_connections = MOST_CONNECTIONS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[Any, bool] = {}
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        """See base class."""
        own = str(client_address[0]) in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
        with self._lock:
            if len(self._open) >= self.most_connections:
                oldest = next((one for one, is_own in self._open.items() if not is_own), next(iter(self._open)))
                del self._open[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread ends, and closes it
            self._open[request] = own
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """See base class."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news, and its traceback no line of our log."""


def has_left(connection: socket.socket) -> bool:
    """Whether the other end of a connection has closed it. What it may have sent stays there."""
    try:
        # Asked first: a socket with a time limit would be waited for, whatever flags say.
        asking = select.poll()
        asking.register(connection, select.POLLIN)
        if not asking.poll(0):
            return False
        return connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
