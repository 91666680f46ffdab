"""The sidecar's local HTTP endpoint: probes for the kubelet, rounds for the trainer.

    GET  /v1/round                  what is said now
    GET  /v1/round?after=3          waits until a round newer than 3 stands
    GET  /v1/round?changed=7        waits until `sequence` is not 7 any more: to be told that a round is over
         …&timeout=60               seconds to wait (default 60, at most 3600); then 204 without a body
    POST /v1/ready?round=3          the trainer has stopped round 3 (for --wait-for-trainer)
    POST /v1/leave[?close=true]     leave; close: the work is done, for all
    GET  /startupz                  200 once the first round has been formed, else 503
    GET  /livez                     200

``after`` answers 410 with the same JSON when the rendezvous is closed or this node has left. Only this pod may POST:
the endpoint may have to listen on the pod's address for the kubelet's probes, and there the whole cluster can reach it.
"""

import ipaddress
import json
import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socket import AF_INET6
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kube_rendezvous.bounded_connections import BoundedHTTPServer, has_left
from kube_rendezvous.sidecar.board import Board
from kube_rendezvous.sidecar.publication import FINAL, Publication

_log = logging.getLogger(__name__)

_DEFAULT_WAIT = 60.0
_LONGEST_WAIT = 3600.0
_LOOK_WHETHER_IT_IS_THERE = 1.0
_POLL_SECONDS = 0.1  # after which it sees that it was closed


class HttpEndpoint:
    """Serves from a thread of its own until `close`.

    Args:
        host, port: where to listen; port 0: any free one.
        board: what is said.
        leave: called with whether to close; returns whether that went well.

    Raises:
        OSError: the address cannot be used.
    """

    def __init__(self, host: str, port: int, board: Board, leave: Callable[[bool], bool]) -> None:
        class Server(BoundedHTTPServer):
            address_family = AF_INET6 if ":" in host else BoundedHTTPServer.address_family

        class Handler(_Handler):
            pass

        Handler.board, Handler.leave = board, staticmethod(leave)
        self._server = Server((host, port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="http", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _RequestError(Exception):
    """The request cannot be answered; the text says why."""


class _Handler(BaseHTTPRequestHandler):
    board: Board
    leave: Callable[[bool], bool]

    protocol_version = "HTTP/1.1"
    server_version = "kube-rendezvous"
    sys_version = ""
    timeout = 30  # seconds for a client to send its request

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        match url.path:
            case "/v1/round":
                self._answer_round(url.query)
            case "/startupz" if self.board.started.is_set():
                self._send(200, {"ok": True})
            case "/startupz":
                self._send(503, {"ok": False, "message": self.board.newest.message or "no round has been formed yet"})
            case "/livez":
                self._send(200, {"ok": True})
            case _:
                self._send(404, {"message": "there are /v1/round, /v1/ready, /v1/leave, /startupz and /livez"})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        self.close_connection = True  # a body that somebody sends is not read
        if not _is_loopback(str(self.client_address[0])):
            self._send(403, {"message": "only this pod may POST: use 127.0.0.1 or [::1]"})
            return
        try:
            query = _Query(url.query)
            match url.path:
                case "/v1/ready":
                    self.board.trainer_stopped(int(query.number("round", float(self.board.newest.round))))
                    self._send(200, self.board.newest.to_json())
                case "/v1/leave":
                    done = type(self).leave(query.flag("close"))
                    self._send(200 if done else 502, self.board.newest.to_json())
                case _:
                    self._send(404, {"message": "POST /v1/ready or /v1/leave"})
        except _RequestError as error:
            self._send(400, {"message": str(error)})

    def _answer_round(self, text: str) -> None:
        try:
            query = _Query(text)
            after, changed = query.optional("after"), query.optional("changed")
            seconds = min(_LONGEST_WAIT, query.number("timeout", _DEFAULT_WAIT))
        except _RequestError as error:
            self._send(400, {"message": str(error)})
            return

        def is_it(said: Publication) -> bool:
            news = changed is None or said.sequence != changed
            return news and (after is None or said.stands_after(after) or said.state in FINAL)

        end = time.monotonic() + seconds
        said = None
        while said is None:
            # Who waits holds a thread and a connection: not for longer than the client is there.
            said = self.board.wait_for(is_it, min(_LOOK_WHETHER_IT_IS_THERE, end - time.monotonic()))
            if said is None and (time.monotonic() >= end or self.board.is_over):
                break
            if said is None and has_left(self.connection):
                self.close_connection = True
                return
        if said is None:
            self._send(204, None)
        else:
            gone = after is not None and not said.stands_after(after)
            self._send(410 if gone else 200, said.to_json())

    def _send(self, status: int, body: dict[str, Any] | None) -> None:
        content = b"" if body is None else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself is answered in JSON, too."""
        self.close_connection = True
        self._send(code, {"message": message or "not possible"})

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every second: only for those who want to see everything."""
        _log.debug("%s: %s", self.client_address[0], format % args)


class _Query:
    def __init__(self, text: str) -> None:
        try:
            self._values = parse_qs(text, keep_blank_values=True, max_num_fields=10)
        except ValueError as error:
            raise _RequestError(str(error)) from error

    def number(self, name: str, default: float) -> float:
        found = self.optional(name)
        return default if found is None else float(found)

    def optional(self, name: str) -> int | None:
        text = self._values.get(name, [""])[-1]
        if name not in self._values:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise _RequestError(f"{name} must be a whole number from 0")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self._values.get(name, ["false"])[-1].lower()
        if text not in ("true", "false", "1", "0", ""):
            raise _RequestError(f"{name} must be true or false")
        return text in ("true", "1", "")


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
