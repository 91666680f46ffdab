"""Requests to the API server over the `kubernetes` client's own connection pool and credentials.

The generated API classes are left out: they cost milliseconds an object, and custom resources are plain JSON.
"""

import contextlib
import json
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from kube_rendezvous.cluster.credentials import CredentialsError, load_configuration
from kube_rendezvous.cluster.failures import ApiRefusedError, ApiUnavailableError, failure_of, foreign_answer
from kube_rendezvous.cluster.identified_pool import Credentials, NotTrustedError
from kube_rendezvous.cluster.server_facts import VERSION_PATH, ServerFacts, read_facts
from kube_rendezvous.cluster.spoken_version import (
    GROUP_PATH,
    body_in,
    is_ours,
    path_in,
    served_versions,
    version_is_not_served,
)
from kube_rendezvous.resources.names import VERSION, best_version
from kube_rendezvous.signal_proof import new_lock

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0

_RELOAD_SECONDS = 1.0
"""Credentials that are refused again and again are not read more often: a plug-in is a process and a login."""

_log = logging.getLogger(__name__)

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
_JSON = "application/json"


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
    """Requests to one API server with one identity, whose credentials may change. Thread-safe.

    Attributes:
        namespace: the namespace that goes with the credentials.
        on_request: called with (method, HTTP status or 0, path) after each request; for metrics and tests.
    """

    def __init__(self, configuration: Any, namespace: str, reload: Callable[[], Any] | None = None) -> None:
        self.namespace = namespace
        self.on_request: Callable[[str, int, str], None] | None = None
        self._reload = reload
        self._reload_after = 0.0
        self._reloading = new_lock()
        self._credentials = Credentials(configuration)
        self._version = VERSION

    @classmethod
    def open(cls, kubeconfig: str | None = None, context: str | None = None) -> "Connection":
        """Connect with the credentials that `load_configuration` finds.

        Raises:
            CredentialsError: there are none.
        """
        configuration, namespace = load_configuration(kubeconfig, context)
        return cls(configuration, namespace, lambda: load_configuration(kubeconfig, context)[0])

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
        return self._credentials.host

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
        as_user: str = "",
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
            as_user: whom to impersonate; "" for nobody.

        Raises:
            ApiUnavailableError: it may work later; also: something else than the API server has answered.
            ApiRefusedError: it will not.
        """
        timeouts = (min(CONNECT_SECONDS, timeout), timeout)
        response = self._send(method, path, query, body, content_type, timeouts, stream=False, as_user=as_user)
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

    def server_facts(self) -> ServerFacts:
        """Version and clock of the API server.

        Raises:
            ApiUnavailableError, ApiRefusedError: as in `request`.
        """
        return read_facts(
            self._send("GET", VERSION_PATH, None, None, _JSON, (CONNECT_SECONDS, ANSWER_SECONDS), stream=False)
        )

    def close(self) -> None:
        """Close idle connections. Requests under way go on."""
        self._credentials.close_idle()

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
        as_user: str = "",
    ) -> Any:
        """Send it, in the version that is served; another one is looked for only when ours is not."""
        spoken = self._version

        def send(version: str) -> Any:
            in_it = body if version == VERSION else body_in(version, body)
            translated = path_in(version, path), query, in_it, content_type, timeouts
            return self._send_as_is(method, *translated, stream=stream, as_user=as_user)

        try:
            return send(spoken)
        except ApiRefusedError as error:
            if not (is_ours(path) and version_is_not_served(error.status, error.reason)):
                raise
            other = self._find_version()
            if other is None or other == spoken:
                raise
            _log.info("The API server does not serve %s of our resources: we speak %s", spoken, other)
            self._version = other
            return send(other)

    def _find_version(self) -> str | None:
        timeouts = (CONNECT_SECONDS, ANSWER_SECONDS)
        try:
            answer = self._send_as_is("GET", GROUP_PATH, None, None, _JSON, timeouts, stream=False)
        except ApiRefusedError:
            return None  # there is no such group: what was asked for is not there, in any version
        return best_version(served_versions(_parse_answer(f"GET {GROUP_PATH}", answer)))

    def _send_as_is(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        timeouts: tuple[float, float],
        *,
        stream: bool,
        as_user: str = "",
    ) -> Any:
        """Send it; and once more with fresh credentials, if those that we have are not accepted."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        url = f"{path}?{urlencode(query)}" if query else path
        headers = {} if body is None else {"Content-Type": content_type}
        if as_user:
            headers["Impersonate-User"] = as_user
        what = f"{method} {path}"
        while True:
            credentials, response, broken = self._credentials, None, None
            try:
                response = credentials.send(method, url, data, headers, timeouts, stream=stream)
            except ApiUnavailableError as error:
                broken = error
            status = 0 if response is None else response.status
            if self.on_request is not None:
                self.on_request(method, status, path)
            if (status == 401 or isinstance(broken, NotTrustedError)) and self._read_again(credentials):
                if response is not None:
                    response.close()
                continue
            if response is None:
                assert broken is not None
                raise ApiUnavailableError(what, 0, "", broken.message) from broken
            if status >= 300:
                raise failure_of(what, status, _parse_error(response.data), response.headers)
            return response

    def _read_again(self, refused: Credentials) -> bool:
        """Whether there are other credentials than those that were refused: files are rewritten, and plug-ins asked."""
        with self._reloading:
            if self._credentials is not refused:
                return True  # another thread has found them
            if self._reload is None or time.monotonic() < self._reload_after:
                return False
            self._reload_after = time.monotonic() + _RELOAD_SECONDS
            try:
                found = Credentials(self._reload())
            except CredentialsError as error:
                _log.warning("The API server refuses our credentials, and they cannot be read again: %s", error)
                return False
            if found.fingerprint == refused.fingerprint:
                return False
            self._credentials = found
            refused.close_idle()
            _log.info("The API server refused our credentials; they were read again, and are others now")
            return True


_shared: "weakref.WeakValueDictionary[tuple[int, str | None, str | None], Connection]" = weakref.WeakValueDictionary()
_shared_lock = new_lock()


def _parse_answer(what: str, response: Any) -> dict[str, Any]:
    """The object in an answer; what a proxy says in the API server's place is none, whatever its status."""
    try:
        answer = json.loads(response.data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("kind"), str):
        raise foreign_answer(what, response.status, response.headers, response.data)
    return answer


def _parse_error(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")
