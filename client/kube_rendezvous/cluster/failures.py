"""What can go wrong with a request, told apart by what the caller should do about it."""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous.printable_text import one_line

LONGEST_RETRY_AFTER = 5.0
"""Seconds: whatever a server or a proxy asks for, nobody falls silent for longer than a heartbeat may be missed."""

_PASSING = frozenset({408, 409, 410, 425, 429})
_IN_BETWEEN = ": is the address right, and does a proxy or a load balancer answer in its place?"


class ApiFailureError(Exception):
    """A request failed.

    Args:
        request: what was asked, such as ``POST /apis/…``.
        status: HTTP status; 0 if there was no answer.
        reason: the API server's CamelCase reason, "" if none.
        message: its sentence, or the network error's.
        retry_after: seconds to wait before the next try, 0 if the server did not say; bounded.
    """

    def __init__(self, request: str, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{request}: {status or 'no answer'} {reason}: {message}".replace(" : ", ": "))
        self.request = request
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class ApiUnavailableError(ApiFailureError):
    """It may work later: no answer, too many requests, a conflict, an error inside the server."""


class ApiRefusedError(ApiFailureError):
    """It will not work however often it is tried: no right, no such thing, not valid."""


def is_no_such_object(failure: ApiFailureError, name: str) -> bool:
    """Whether it is the object of this name that is not found, and not the namespace, the resource itself, or a page of
    some proxy, which says nothing of it."""
    return failure.status == 404 and failure.reason == "NotFound" and f'"{name}"' in failure.message


def failure_of(request: str, status: int, body: Any, headers: Mapping[str, str]) -> ApiFailureError:
    """Sort an error response into passing and final.

    Args:
        request: for the message.
        status: HTTP status, 300 or more.
        body: parsed `Status` object if there was one, else text.
        headers: of the response.
    """
    if status < 400:
        message = f"a redirect to {headers.get('Location', 'nowhere')}, which an API server does not send{_IN_BETWEEN}"
        return ApiRefusedError(request, status, "", message)
    if isinstance(body, Mapping):
        reason, message = str(body.get("reason", "")), str(body.get("message", ""))
    else:
        reason, message = "", str(body)[:500].strip()
    kind = ApiUnavailableError if status in _PASSING or status >= 500 else ApiRefusedError
    pause = bounded_pause(headers.get("Retry-After", ""))
    return kind(request, status, one_line(reason)[:100], one_line(message), pause)


def foreign_answer(request: str, status: int, headers: Mapping[str, str], data: bytes) -> ApiUnavailableError:
    """A success that holds no Kubernetes object: whoever answered, it was no API server. It may be there later."""
    kind = one_line(headers.get("Content-Type") or "no content type")[:100]
    begin = data[:80].decode(errors="replace").strip()
    text = f"no Kubernetes object but {kind}, beginning with {begin!r}{_IN_BETWEEN}"
    return ApiUnavailableError(request, status, "", text)


def bounded_pause(text: str) -> float:
    """Seconds that a `Retry-After` asks for, `LONGEST_RETRY_AFTER` at the most; 0 if it names none (or a date)."""
    try:
        seconds = float(text or 0)
    except ValueError:
        return 0.0
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else 0.0
