"""An HTTP server in front of the real API server: forwards what a node asks, and answers in its place where told to."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kube_rendezvous.cluster.credentials import load_configuration

_NOT_FORWARDED = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True)
class Asked:
    """A request as the proxy has seen it."""

    at: float
    kind: str
    method: str
    path: str
    body: Any


@dataclass(frozen=True)
class Answer:
    """What is answered in place of the API server."""

    status: int
    body: bytes
    content_type: str = "application/json"


def status_object(code: int, reason: str, message: str) -> Answer:
    """An error as the API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return Answer(code, json.dumps(body | {"reason": reason, "message": message, "code": code}).encode())


Rule = Callable[[Asked], Answer | None]


class AnsweringProxy:
    """Forwards to the API server of a kubeconfig; use it in a ``with`` statement.

    Args:
        kubeconfig: path; its credentials are used for what is forwarded.

    Attributes:
        asked: every request, in order.
        rule: asked for each request; None: it is forwarded.
    """

    def __init__(self, kubeconfig: str) -> None:
        from kubernetes import client

        configuration, _ = load_configuration(kubeconfig, None)
        self._api = client.ApiClient(configuration)
        self._server = configuration.host
        self.asked: list[Asked] = []
        self.rule: Rule = lambda _: None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                proxy._handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

            def log_message(self, format: str, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "AnsweringProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        asked = _read(request, body)
        self.asked.append(asked)
        answer = self.rule(asked)
        try:
            if answer is not None:
                _reply(request, answer)
            else:
                self._forward(request, body)
        except OSError:  # the node has gone
            request.close_connection = True

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _NOT_FORWARDED}
        if "Authorization" not in headers:
            self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        answer = self._api.rest_client.pool_manager.request(
            request.command,
            self._server + request.path,
            body=body or None,
            headers=headers,
            preload_content=False,
            retries=False,
        )
        try:
            if "watch=1" not in request.path:
                _reply(request, Answer(answer.status, answer.read(), answer.headers.get("Content-Type", "")))
                return
            request.close_connection = True
            request.send_response(answer.status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            for chunk in answer.stream(amt=None, decode_content=True):
                request.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                request.wfile.flush()
        finally:
            answer.close()


def _reply(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    request.send_response(answer.status)
    request.send_header("Content-Type", answer.content_type)
    request.send_header("Content-Length", str(len(answer.body)))
    request.end_headers()
    request.wfile.write(answer.body)


def _read(request: BaseHTTPRequestHandler, body: bytes) -> Asked:
    parts = urlsplit(request.path)
    parsed = json.loads(body) if body else None
    kind = _kind(request.command, parts.path, parse_qs(parts.query), parsed)
    return Asked(time.monotonic(), kind, request.command, parts.path, parsed)


def _kind(method: str, path: str, query: Mapping[str, list[str]], body: Any) -> str:
    """What a node wants with this request, in one word."""
    if method == "GET":
        return "watch" if "watch" in query else "list"
    if method == "POST":
        return "join" if path.endswith("/rendezvousmembers") else "create"
    said = body["spec"]
    if "afterRound" in said:
        return "rejoin"
    if "closeRequested" in said and "leaving" not in said:
        return "close"
    return "goodbye" if "leaving" in said else "heartbeat"
