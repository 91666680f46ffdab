"""One TLS context for all connections of a process that trust the same and show the same certificate.

To build one costs as much as a handshake: the authorities and the client's certificate are read and parsed. urllib3
would do so again for every connection.

A connection beside an open watch goes on with the watch's TLS session: the API server signs nothing and the client
verifies nothing anew, which costs both of them half of a handshake.
"""

import ssl
import threading
from typing import Any

from kube_rendezvous.signal_proof import new_lock

_MOST = 8
"""Contexts kept. Credentials that change leave their old one behind."""

_contexts: dict[str, ssl.SSLContext] = {}
_lock = new_lock()


class KeptSessions:
    """TLS sessions of one owner of connections, by the name of the server."""

    def __init__(self) -> None:
        self._by_name: dict[str | None, tuple[ssl.SSLContext, ssl.SSLSession]] = {}

    def use(self) -> None:
        """Connections that this thread opens from now on go on with these, until it uses others.

        A server that does not know one any more makes a whole handshake.
        """
        _used.sessions = self

    def keep(self, sock: Any) -> None:
        """Keep that of a connection on which an answer has begun. Nobody else may read from it meanwhile."""
        session = sock.session if isinstance(sock, ssl.SSLSocket) else None  # each look makes a copy
        if session is not None:
            self._by_name[sock.server_hostname] = sock.context, session

    def forget(self) -> None:
        """Begin anew: what was kept may be what is in the way."""
        self._by_name.clear()

    def of(self, name: str | None, context: ssl.SSLContext) -> ssl.SSLSession | None:
        """That of a server; None: there is none that this context can go on with."""
        kept, session = self._by_name.get(name, (None, None))
        return session if kept is context else None


class ResumingContext(ssl.SSLContext):
    """Begins each connection with the session that the thread uses for its server, if there is any."""

    def wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """See base class."""
        used: KeptSessions | None = getattr(_used, "sessions", None)
        if used is not None and not args and kwargs.get("session") is None:
            kwargs["session"] = used.of(kwargs.get("server_hostname"), self)
        return super().wrap_socket(sock, *args, **kwargs)


_used = threading.local()


def share_tls(pool: Any, fingerprint: str) -> None:
    """Let a new pool's connections use the context of these credentials.

    Where that cannot be (a proxy in between, another name to verify, a file that cannot be read), the pool has one of
    its own: urllib3 reads the files, and says what is wrong when it connects. Where nothing is verified, all stays.

    Args:
        pool: a `urllib3.PoolManager`, as the `kubernetes` client makes it.
        fingerprint: the same only for the same authorities and certificate.
    """
    how = pool.connection_pool_kw
    if how.get("cert_reqs") != ssl.CERT_REQUIRED or how.get("ssl_context") is not None:
        return
    special = pool.proxy is not None or how.get("assert_hostname") is not None or how.get("ca_cert_data") is not None
    if how.get("ca_certs") and not special:
        try:
            how["ssl_context"] = _shared(how, fingerprint)
        except (OSError, ValueError):
            pass
        else:
            for built_in in ("ca_certs", "cert_file", "key_file"):
                how.pop(built_in, None)
            return
    own = _new()
    if not any(how.get(given) for given in ("ca_certs", "ca_cert_dir", "ca_cert_data")):
        own.load_default_certs()  # as urllib3 does with a context that it made itself
    how["ssl_context"] = own


def verify_as_kubernetes_does(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let authorities be of whatever form, as every other client of Kubernetes does; return the context.

    Python 3.13 and newer refuse one without key usage or key identifiers, and those of many clusters are such.
    Signatures, names and dates are verified as ever.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _new() -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if type(context) is ssl.SSLContext:  # not one that somebody has put in its place, as truststore does
        context.__class__ = ResumingContext  # as urllib3 has set it up, whose settings are another with each version
    return verify_as_kubernetes_does(context)


def _shared(how: dict[str, Any], fingerprint: str) -> ssl.SSLContext:
    with _lock:
        context = _contexts.get(fingerprint)
        if context is None:
            context = _new()
            context.load_verify_locations(how["ca_certs"])
            if how.get("cert_file"):
                context.load_cert_chain(how["cert_file"], how.get("key_file"))
            if len(_contexts) >= _MOST:
                del _contexts[next(iter(_contexts))]
            _contexts[fingerprint] = context
        return context
