"""Requests to the API server over the `kubernetes` client's own connection pool and credentials.

The generated API classes are left out: they cost milliseconds an object, and custom resources are plain JSON.
"""

import contextlib
import json
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from kube_rendezvous.cluster.credentials import load_configuration
from kube_rendezvous.cluster.failures import ApiUnavailableError, failure_of
from kube_rendezvous.printable_text import printable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0

MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"

# A peer that vanished without a word (a node lost its power) is noticed within 25 s although nothing is sent.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    *(
        [
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        ]
        if hasattr(socket, "TCP_KEEPIDLE")
        else []
    ),
]


class ResponseStream:
    """An open watch: lines as they come. `interrupt` may be called from another thread and ends the iteration."""

    def __init__(self, response: Any, request: str) -> None:
        self._response = response
        self._request = request

    def lines(self) -> Iterator[bytes]:
        """Yield each complete line, until the server ends the stream or nothing came for the read time-out.

        A quiet stream is ended rather than trusted: whether the server is still there shows at the next watch.

        Raises:
            ApiUnavailableError: the connection broke.
        """
        import urllib3

        rest = b""
        try:
            for chunk in self._response.stream(amt=None, decode_content=False):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line for line in whole if line)
        except urllib3.exceptions.ReadTimeoutError:
            return
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError, AttributeError: how a response that another thread has shut down answers a read.
            raise ApiUnavailableError(self._request, 0, "", f"the watch broke: {error}") from error

    def interrupt(self) -> None:
        """End the watch while another thread waits for its next line. That thread closes it."""
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # already closed
            self._response.shutdown()

    def close(self) -> None:
        """Give the connection up: what a watch leaves unread must not be met by the next request."""
        self._response.close()


class Connection:
    """A connection pool to one API server with one identity. Thread-safe.

    Attributes:
        namespace: the namespace that goes with the credentials.
        on_request: called with (method, HTTP status or 0, path) after each request; for metrics and tests.
    """

    def __init__(self, configuration: Any, namespace: str) -> None:
        from kubernetes import client

        configuration.socket_options = _KEEPALIVE
        configuration.connection_pool_maxsize = 64
        self.namespace = namespace
        self.on_request: Callable[[str, int, str], None] | None = None
        self._configuration = configuration
        self._host: str = configuration.host.rstrip("/")
        self._api = client.ApiClient(configuration)
        self._pool = self._api.rest_client.pool_manager
        self._auth: dict[str, str] = {}
        self._auth_until = 0.0

    @classmethod
    def open(cls, kubeconfig: str | None = None, context: str | None = None) -> "Connection":
        """Connect with the credentials that `load_configuration` finds.

        Raises:
            CredentialsError: there are none.
        """
        return cls(*load_configuration(kubeconfig, context))

    @classmethod
    def shared(cls, kubeconfig: str | None = None, context: str | None = None) -> "Connection":
        """As `open`, but handlers of one process with the same credentials share one pool."""
        # The process id: a forked child must not talk over its parent's sockets.
        key = (os.getpid(), kubeconfig or os.environ.get("KUBECONFIG"), context)
        with _shared_lock:
            connection = _shared.get(key)
            if connection is None:
                connection = _shared[key] = cls.open(kubeconfig, context)
            return connection

    @property
    def host(self) -> str:
        """Base address of the API server."""
        return self._host

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        timeout: float = ANSWER_SECONDS,
        told_size: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """Send one request and return the parsed answer.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: from the root of the API server.
            query: parameters, unescaped.
            body: sent as JSON.
            content_type: of the body.
            timeout: seconds to wait for the answer; a connection is waited for no longer than that, either.
            told_size: called with the size of the answer, bytes.

        Raises:
            ApiUnavailableError: it may work later; also: something else than the API server has answered.
            ApiRefusedError: it will not.
        """
        response = self._send(
            method, path, query, body, content_type, (min(CONNECT_SECONDS, timeout), timeout), stream=False
        )
        if told_size is not None:
            told_size(len(response.data))
        return _parse_answer(f"{method} {path}", response)

    def stream(self, path: str, *, query: Mapping[str, str], silence: float) -> ResponseStream:
        """Open a watch.

        Args:
            path: of the collection.
            query: must hold ``watch=1``.
            silence: seconds without any data after which the stream counts as broken.

        Raises:
            ApiUnavailableError, ApiRefusedError: as in `request`.
        """
        response = self._send("GET", path, query, None, _JSON, (CONNECT_SECONDS, silence), stream=True)
        return ResponseStream(response, f"GET {path} (watch)")

    def close(self) -> None:
        """Close idle connections. Requests under way go on."""
        self._pool.clear()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        timeouts: tuple[float, float],
        *,
        stream: bool,
    ) -> Any:
        import urllib3

        headers = {"Accept": _JSON, "User-Agent": "kube-rendezvous", **self._auth_headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        what = f"{method} {path}"
        status = 0
        try:
            response = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=timeouts[0], read=timeouts[1]),
                retries=False,
                preload_content=not stream,
            )
            status = response.status
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiUnavailableError(what, 0, "", f"{self._host}: {error}") from error
        finally:
            if self.on_request is not None:
                self.on_request(method, status, path)
        if status == 401:
            self._auth_until = 0.0
        if status >= 400:
            raise failure_of(what, status, _parse_error(response.data), response.headers)
        return response

    def _auth_headers(self) -> dict[str, str]:
        """The credentials' headers. The client re-reads rotating tokens, which costs a millisecond: once a second."""
        now = time.monotonic()
        if now >= self._auth_until:
            headers: dict[str, str] = {}
            self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
            self._auth, self._auth_until = headers, now + 1.0
        return self._auth


_shared: "weakref.WeakValueDictionary[tuple[int, str | None, str | None], Connection]" = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


def _parse_answer(what: str, response: Any) -> dict[str, Any]:
    """The object in an answer; what a proxy says in the API server's place is none, whatever its status."""
    try:
        answer = json.loads(response.data)
    except (ValueError, RecursionError) as error:
        text = printable(bytes(response.data[:100]).decode(errors="replace"))
        raise ApiUnavailableError(what, 0, "", f"the answer ({response.status}) is no JSON: {text!r}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("kind"), str):
        raise ApiUnavailableError(what, 0, "", f"the answer ({response.status}) is no Kubernetes object")
    return answer


def _parse_error(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")
