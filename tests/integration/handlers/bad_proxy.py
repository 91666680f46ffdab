"""A proxy before the API server that can answer in its place: pages, silence, refusals, halves."""

import contextlib
import http.client
import json
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import yaml


class Mood(Enum):
    """What it does with requests, and with watches that are open."""

    GOOD = auto()
    PAGE = auto()
    """A page of HTML with 200."""
    NOTHING = auto()
    """200 without a body."""
    LATER = auto()
    """429, try again in an hour."""
    FAILS = auto()
    """500, as a server says it whose etcd is away."""
    SLOW = auto()
    """Each request waits for up to a second before it is passed on."""
    LOSES_ANSWERS = auto()
    """Requests are carried out, and the connection is cut before the answer."""
    RESETS = auto()
    """As before, and the connection is reset: whatever else was on its way is thrown away."""
    KEEPS_ANSWERS = auto()
    """Requests are carried out, and nothing ever comes back; connections stay open, also when it has become good."""
    KEEPS_REQUESTS = auto()
    """Nothing is carried out, and nothing ever comes back; as before."""
    HALVES = auto()
    """Answers and lines of watches end in the middle, without any sign of it."""


SLOWEST_SECONDS = 1.0
_NO_ANSWERS = (Mood.LOSES_ANSWERS, Mood.RESETS, Mood.KEEPS_ANSWERS)


class BadProxy:
    """Speaks plain HTTP on this machine, and passes tokens on. For use in a ``with`` statement.

    Args:
        kubeconfig: of the cluster, with a token.
        folder: where to write the kubeconfig that leads through the proxy.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        target = urlsplit(cluster["server"])
        self.mood = Mood.GOOD
        self.answered_badly = 0
        self._watches: set[_OpenWatch] = set()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """Connections are cut all the time."""

        class Handler(_Handler):
            proxy = self

            def connect(self) -> http.client.HTTPSConnection:
                assert target.hostname is not None
                return http.client.HTTPSConnection(target.hostname, target.port, context=context, timeout=400)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.kubeconfig = folder / f"through-a-proxy-{self._server.server_address[1]}"
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._server.server_address[1]}"}
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.set(Mood.GOOD)
        self._server.shutdown()
        self._server.server_close()

    def set(self, mood: Mood) -> None:
        """Be so from now on; watches that are open end."""
        self.mood = mood
        for watch in list(self._watches):
            watch.end()

    @property
    def open_watches(self) -> int:
        """How many are passed on at this moment."""
        return len(self._watches)


class _OpenWatch:
    """One that is passed on until one side ends it, or the proxy.

    A thread that waits for the next line hears of neither the other side nor the proxy: what it reads is shut down.

    Args:
        client: who watches; it says nothing more, but may go.
        server: where the lines come from.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        threading.Thread(target=self._end_with_client, daemon=True).start()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._server, socket.SHUT_RDWR)  # TLS's own would take the reader's state away

    def forget_client(self) -> None:
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RD)

    def _end_with_client(self) -> None:
        with contextlib.suppress(OSError):
            self._client.recv(1, socket.MSG_PEEK)
        self.end()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: BadProxy
    connect: Callable[[], http.client.HTTPSConnection]

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mood = self.proxy.mood
        if mood is not Mood.GOOD:
            self.proxy.answered_badly += 1
        match mood:
            case Mood.PAGE:
                self._say(200, b"<html>Please log in</html>", "text/html")
            case Mood.NOTHING:
                self._say(200, b"", "application/json")
            case Mood.LATER:
                self._say(429, b"slow down", "text/plain", ("Retry-After", "3600"))
            case Mood.FAILS:
                status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500}
                self._say(500, json.dumps(status).encode(), "application/json")
            case Mood.KEEPS_REQUESTS:
                self._say_nothing()
            case Mood.SLOW:
                time.sleep(random.uniform(0, SLOWEST_SECONDS))
                self._forward(body, mood)
            case _:
                self._forward(body, mood)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the names are http.server's

    def _say_nothing(self) -> None:
        """Until the client has had enough of it."""
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True

    def _say(self, status: int, body: bytes, kind: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _forward(self, body: bytes, mood: Mood) -> None:
        upstream = self.connect()
        passed = {"accept", "content-type", "authorization"}
        headers = {name: value for name, value in self.headers.items() if name.lower() in passed}
        try:
            upstream.request(self.command, self.path, body or None, headers)
            server = upstream.sock
            answer = upstream.getresponse()
            if mood in _NO_ANSWERS:
                answer.read1(1)
                if mood is Mood.RESETS:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if mood is Mood.KEEPS_ANSWERS:
                    self._say_nothing()
                self.close_connection = True
            elif "watch=" in self.path:
                self._stream(answer, server, mood)
            else:
                content = answer.read()
                self._say(
                    answer.status,
                    content[: len(content) // 2] if mood is Mood.HALVES else content,
                    answer.headers.get("Content-Type", ""),
                )
        finally:
            upstream.close()

    def _stream(self, answer: http.client.HTTPResponse, server: socket.socket, mood: Mood) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        watch = _OpenWatch(self.connection, server)
        self.proxy._watches.add(watch)
        try:
            while line := _line_of(answer):
                if mood is Mood.HALVES:
                    self._chunk(line[: len(line) // 2])
                    break
                self._chunk(line)
            with contextlib.suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")
        finally:
            self.proxy._watches.discard(watch)
            watch.forget_client()
            self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _line_of(answer: http.client.HTTPResponse) -> bytes:
    """The next one; nothing: there are no more, or it was ended."""
    try:
        return answer.readline()
    except (OSError, http.client.HTTPException):
        return b""
