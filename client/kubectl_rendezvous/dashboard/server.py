"""Serves the page and its events on this machine only.

GET /SECRET/                               the page
GET /SECRET/page.js, …                     what it is made of
GET /SECRET/events                         the list, as Server-Sent Events: `view`, then `change`
GET /SECRET/events?namespace=…&name=…      one Rendezvous, likewise
"""

import json
import logging
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubectl_rendezvous.dashboard.differences import difference, is_news
from kubectl_rendezvous.dashboard.feed import Feed, Feeds
from kubectl_rendezvous.dashboard.followed_list import FollowedList
from kubectl_rendezvous.dashboard.views import View
from kubectl_rendezvous.dashboard.visitors import Refusal, admit

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = {
    "": "index.html",
    **{
        name: name
        for name in (
            *("page.css", "icon.svg"),
            *("page.js", "view.js", "elements.js", "listing.js", "story.js", "members.js", "rounds.js"),
        )
    },
}
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MOST_STREAMS = 32
_SIGN_OF_LIFE_SECONDS = 10.0
_SEND_SECONDS = 30.0
_POLL_SECONDS = 0.1  # after which it sees that it was closed


class DashboardServer:
    """Serves from threads of its own until `close`.

    Args:
        port: 0 for any free one.
        everything: the list.
        single: of one Rendezvous each.
        namespace: the only one whose Rendezvous are shown; None: all.

    Raises:
        OSError: the port cannot be used.
    """

    def __init__(self, port: int, everything: FollowedList, single: Feeds, namespace: str | None) -> None:
        class Handler(_Handler):
            pass

        Handler.secret = self.secret = secrets.token_urlsafe(18)
        Handler.everything, Handler.single, Handler.namespace = everything, single, namespace
        Handler.streams = threading.Semaphore(_MOST_STREAMS)
        self._server = _Server((HOST, port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="http", daemon=True).start()

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://{HOST}:{self._server.server_address[1]}/{self.secret}/"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers go away when they like."""
        _log.debug("request of %s ended early", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    secret: str
    everything: FollowedList
    single: Feeds
    namespace: str | None
    streams: threading.Semaphore

    protocol_version = "HTTP/1.1"
    server_version = "kube-rendezvous"
    sys_version = ""
    timeout = _SEND_SECONDS

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        found = admit(self.secret, url.path, headers)
        if isinstance(found, Refusal):
            self.close_connection = True
            self._send(found.status, "text/plain", found.sentence.encode())
        elif found == "events":
            self._stream_events(url.query)
        elif found in _FILES:
            file = _FILES[found]
            self._send(200, _TYPES[file.rsplit(".")[-1]], (files(__package__) / "page" / file).read_bytes())
        else:
            self._send(404, "text/plain", b"There is no such page.")

    def _stream_events(self, query: str) -> None:
        try:
            asked = parse_qs(query, keep_blank_values=True, max_num_fields=4)
        except ValueError:
            asked = {"name": [""]}
        with self._feed(asked) as feed:
            if feed is None:
                self._send(404, "text/plain", b"No such Rendezvous can be asked for here.")
                return
            if not self.streams.acquire(blocking=False):
                self._send(503, "text/plain", f"{_MOST_STREAMS} pages are open already: close one.".encode())
                return
            try:
                self._begin(200, "text/event-stream")
                self.close_connection = True
                self.end_headers()
                self._tell(feed)
            except OSError:  # the page was closed, or does not read any more
                return
            finally:
                self.streams.release()

    @contextmanager
    def _feed(self, asked: Mapping[str, list[str]]) -> Iterator[Feed | None]:
        if not asked:
            yield self.everything.feed
            return
        namespace, name = (asked.get(key, [""])[-1] for key in ("namespace", "name"))
        wrong = any(_NAME.fullmatch(text) is None for text in (namespace, name))
        if wrong or self.namespace not in (None, namespace):
            yield None
            return
        feed = self.single.enter(namespace, name)
        try:
            yield feed
        finally:
            self.single.leave(namespace, name)

    def _tell(self, feed: Feed) -> None:
        version, had = 0, None
        while True:
            version, view = feed.wait(version, _SIGN_OF_LIFE_SECONDS)
            if view is None:
                self.wfile.write(b": alive\n\n")  # so that a page that is gone is noticed
            elif had is None:
                self._event("view", view)
            elif is_news(change := difference(had, view)):
                self._event("change", change)
            had = view or had

    def _event(self, kind: str, content: View) -> None:
        # JSON has no line break of its own.
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self._begin(status, kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _begin(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        for name, value in _SECURITY.items():
            self.send_header(name, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself says nothing of what was sent, either."""
        self.close_connection = True
        self._send(code, "text/plain", b"This cannot be asked for here.")

    def log_message(self, format: str, *args: Any) -> None:
        """The address holds the secret: it goes nowhere."""
