"""One TLS context for all connections of a process that trust the same and show the same certificate.

To build one costs as much as a handshake: the authorities and the client's certificate are read and parsed. urllib3
would do so again for every connection.
"""

import ssl
import threading
from typing import Any

_MOST = 8
"""Contexts kept. Credentials that change leave their old one behind."""

_contexts: dict[str, ssl.SSLContext] = {}
_lock = threading.Lock()


def share_tls(pool: Any, fingerprint: str) -> None:
    """Let a new pool's connections use the context of these credentials.

    Where that cannot be (nothing is verified, a proxy in between, a file cannot be read), urllib3 does what it always
    does, and says what is wrong when it connects.

    Args:
        pool: a `urllib3.PoolManager`, as the `kubernetes` client makes it.
        fingerprint: the same only for the same authorities and certificate.
    """
    how = pool.connection_pool_kw
    plain = how.get("cert_reqs") == ssl.CERT_REQUIRED and how.get("ca_certs") and pool.proxy is None
    if not plain or any(how.get(special) is not None for special in ("assert_hostname", "ca_cert_data", "ssl_context")):
        return
    try:
        context = _context(how, fingerprint)
    except (OSError, ValueError):
        return
    for built_in in ("ca_certs", "cert_file", "key_file"):
        how.pop(built_in, None)
    how["ssl_context"] = context


def _context(how: dict[str, Any], fingerprint: str) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

    with _lock:
        context = _contexts.get(fingerprint)
        if context is None:
            context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
            context.load_verify_locations(how["ca_certs"])
            if how.get("cert_file"):
                context.load_cert_chain(how["cert_file"], how.get("key_file"))
            if len(_contexts) >= _MOST:
                del _contexts[next(iter(_contexts))]
            _contexts[fingerprint] = context
        return context
