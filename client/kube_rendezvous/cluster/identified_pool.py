"""A pool of connections that carry one set of credentials, as it was read once.

What lies in files may be rewritten while we run (tokens, certificates, the whole kubeconfig): then there is another
set, with a pool of its own, because a connection keeps the certificate that it was opened with.
"""

import hashlib
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kube_rendezvous.cluster.failures import ApiUnavailableError
from kube_rendezvous.cluster.tls import KeptSessions, share_tls
from kube_rendezvous.raised_by_signals import came_with_a_signal

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


LONGEST_TO_BEGIN = 10.0
"""Seconds until the answer to a watch begins: one that was swallowed on the way is not to be waited for as long as one
that is merely quiet."""


_READ_SECONDS = 10.0
"""How old what was read of the credentials may be. The client reads a pod's token again after a minute, and asks a
plug-in five minutes before what it gave ends. To see whether it is time costs a millisecond. What is refused is read
again at once."""


class NotTrustedError(ApiUnavailableError):
    """TLS was not agreed upon: one side does not accept the other's certificate."""


class Credentials:
    """One set of credentials, with connections that carry it. Thread-safe.

    Args:
        configuration: a `kubernetes.client.Configuration`.
    """

    def __init__(self, configuration: Any) -> None:
        from kubernetes import client

        from kube_rendezvous.cluster.idle_connections import keep_idle_without_locks

        configuration.socket_options = _KEEPALIVE
        configuration.connection_pool_maxsize = 64
        self.host: str = configuration.host.rstrip("/")
        self.fingerprint = _fingerprint(configuration)
        self._api = client.ApiClient(configuration)
        self.pool = self._api.rest_client.pool_manager
        share_tls(self.pool, self.fingerprint)
        keep_idle_without_locks(self.pool)
        self._tls_sessions = KeptSessions()
        self._connections: Any = None
        self._headers = self._headers_as_read()
        self._headers_until = time.monotonic() + _READ_SECONDS

    def send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        timeouts: tuple[float, float],
        *,
        stream: bool,
    ) -> Any:
        """Send one request and return the response, whatever its status.

        Args:
            url: from the root of the API server.
            timeouts: seconds to wait for a connection, and for data.
            stream: whether the body is left to be read; then the answer begins within `LONGEST_TO_BEGIN`, or never.

        Raises:
            NotTrustedError: TLS failed.
            ApiUnavailableError: there was no answer, or the credentials cannot be had now.
        """
        import urllib3

        what = f"{method} {url}"
        own = self._identify(what)
        self._tls_sessions.use()
        answering = min(timeouts[1], LONGEST_TO_BEGIN) if stream else timeouts[1]
        try:
            response = self._request(
                method,
                url,
                body=data,
                headers={"Accept": "application/json", "User-Agent": "kube-rendezvous", **own, **headers},
                timeout=urllib3.Timeout(connect=timeouts[0], read=answering),
                retries=False,
                preload_content=not stream,
            )
        except urllib3.exceptions.SSLError as error:
            self.close_idle()
            self._tls_sessions.forget()
            raise NotTrustedError(what, 0, "", f"{self.host}: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Idle connections led the same way, and may be as dead: none of them is to cost the next try.
            self.close_idle()
            raise ApiUnavailableError(what, 0, "", f"{self.host}: {error}") from error
        if stream:
            _be_patient(response, timeouts[1])
            # A watch is not read yet: to ask for its session beside a thread that reads would not be safe.
            self._tls_sessions.keep(getattr(response.connection, "sock", None))
        return response

    def _request(self, method: str, url: str, **how: Any) -> Any:
        """Past the pool of pools, which would look for the one server's pool at each request: a third of its cost.
        A proxy needs it."""
        import urllib3

        if self.pool.proxy is not None:
            return self.pool.request(method, f"{self.host}{url}", **how)
        before = urlsplit(self.host).path
        for _ in range(2):
            if self._connections is None:
                self._connections = self.pool.connection_from_url(self.host)
            try:
                return self._connections.urlopen(method, f"{before}{url}", redirect=False, **how)
            except urllib3.exceptions.ClosedPoolError:  # by a session that ended, or another thread's failure
                self._connections = None
        raise ApiUnavailableError(f"{method} {url}", 0, "", f"{self.host}: the connections are closed again and again")

    def close_idle(self) -> None:
        """None that is idle now is used again."""
        self._connections = None  # the pool of pools closes what nobody holds any more
        self.pool.clear()

    def _identify(self, what: str) -> dict[str, str]:
        """The headers that say who we are."""
        now = time.monotonic()
        if now >= self._headers_until:
            try:
                self._headers = self._read_headers()
            except Exception as error:  # the client's own, a plug-in's, OSError and more
                if came_with_a_signal(error):
                    raise
                raise ApiUnavailableError(what, 0, "", f"our credentials cannot be read now: {error}") from error
            self._headers_until = now + _READ_SECONDS
        return self._headers

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        # Files end with a line feed, which no header may hold.
        return {key: value.strip() for key, value in headers.items()}

    def _headers_as_read(self) -> dict[str, str]:
        """Those of a configuration that was loaded this very moment."""
        configuration = self._api.configuration
        read_again, configuration.refresh_api_key_hook = configuration.refresh_api_key_hook, None
        try:
            return self._read_headers()
        finally:
            configuration.refresh_api_key_hook = read_again


def _be_patient(response: Any, seconds: float) -> None:
    """Let data of an answer that has begun come as late as this. Where the connection ends with the answer its socket
    is out of reach, and the limit stays what it was for the beginning: the watch is then opened anew more often."""
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _fingerprint(configuration: Any) -> str:
    """The same for the same credentials, whichever files they were read from."""
    found = hashlib.sha256()
    for key in ("host", "proxy", "tls_server_name"):
        found.update(f"{getattr(configuration, key, None)}\n".encode())
    found.update(f"{configuration.api_key.get('BearerToken') or configuration.api_key.get('authorization')}\n".encode())
    for file in (configuration.cert_file, configuration.key_file, configuration.ssl_ca_cert):
        try:
            found.update(Path(file).read_bytes() if file else b"")
        except OSError:
            found.update(b"unreadable")
        found.update(b"\n")
    return found.hexdigest()
