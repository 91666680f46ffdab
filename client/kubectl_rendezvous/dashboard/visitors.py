"""Who may ask. Everything that a browser or another user of this machine could be made to send is refused here.

The page shows what its user may read in the cluster, and a port of this machine can be reached by each of its users,
and by each page that a browser on it has open. So three things are asked for: the secret in the address, which only the
command's output tells; a Host that is a name of this machine, so that a foreign name that leads here (DNS rebinding)
does not count; and an Origin, where there is one, that is the page's own.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """HTTP status and a sentence."""

    status: int
    sentence: str


_FOREIGN_HOST = Refusal(421, "This page is served under the names 127.0.0.1 and localhost only.")
_FOREIGN_ORIGIN = Refusal(403, "This page answers nobody but itself.")
_NO_SECRET = Refusal(403, "Open the whole address that `kubectl rendezvous dashboard` has printed.")


def admit(secret: str, path: str, headers: Mapping[str, list[str]]) -> str | Refusal:
    """Decide on one request.

    Args:
        secret: first part of each path that is served.
        path: as it was sent, without the query.
        headers: names in lower case; all values of each.

    Returns:
        The path below the secret, without the slash in front; or why it is refused.
    """
    hosts = headers.get("host", [])
    if len(hosts) != 1 or not _is_loopback(hosts[0]):
        return _FOREIGN_HOST
    if any(origin != f"http://{hosts[0]}" for origin in headers.get("origin", [])):
        return _FOREIGN_ORIGIN
    if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])) and not _follows(headers):
        return _FOREIGN_ORIGIN
    first, slash, rest = path.removeprefix("/").partition("/")
    if not path.startswith("/") or not slash or not hmac.compare_digest(first.encode(), secret.encode()):
        return _NO_SECRET
    return rest


def _follows(headers: Mapping[str, list[str]]) -> bool:
    """Somebody follows a link to the page, say in a terminal that is a web page itself: that page sees nothing."""
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == (["navigate"], ["document"])


def _is_loopback(host: str) -> bool:
    """Any port: it may have been forwarded (``ssh -L``)."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return False
    name = parts.hostname or ""
    return name in _LOOPBACK_NAMES and host.lower() in (name, f"{name}:{port}")
