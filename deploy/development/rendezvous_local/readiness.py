"""Waiting for a server to answer, and telling why it does not."""

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.processes import ChildProcess

POLL_SECONDS = 0.05
REQUEST_SECONDS = 2.0


def answers_ok(url: str, *, certificate: Path | None = None, token: str | None = None) -> bool:
    """Whether a GET of ``url`` is answered with 200 now.

    Args:
        url: What to ask, http or https, on this machine: proxies of the environment are not used.
        certificate: File with the authority to trust for https; false is returned while it is missing or half-written.
        token: Bearer token to send.
    """
    return status_of(url, certificate=certificate, token=token) == 200


def status_of(url: str, *, certificate: Path | None = None, token: str | None = None) -> int | None:
    """The HTTP status of the answer to a GET of ``url``; ``None``: there is none. Arguments: see ``answers_ok``."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    try:
        if certificate is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(certificate))))
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
        with urllib.request.build_opener(*handlers).open(request, timeout=REQUEST_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code
    except (OSError, http.client.HTTPException):  # URLError, SSLError and time-outs are OSErrors
        return None


def page(url: str) -> str:
    """What a GET of ``url`` on this machine is answered, whatever the status; "" if there is no answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            answer = opener.open(url, timeout=REQUEST_SECONDS)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            return str(answer.read().decode())
    except (OSError, http.client.HTTPException):
        return ""


def wait_until_ready(
    what: str, ready: Callable[[], bool], *, seconds: float, processes: Sequence[ChildProcess], may_end: bool = False
) -> None:
    """Waits until ``ready()``.

    Args:
        what: What is waited for, for the error.
        ready: Says whether it is ready; asked every 50 ms.
        seconds: How long to wait at most.
        processes: What it depends on: their logs are shown, and the end of one is an error.
        may_end: The end of a process is no error, since somebody starts it again.

    Raises:
        LocalControlPlaneError: One of ``processes`` has ended, or ``seconds`` have passed; with the end of the logs.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        for process in processes:
            if not may_end and not process.running:
                raise LocalControlPlaneError(
                    f"{process.name} ended with exit status {process.exit_code} before {what} was ready."
                    f" The end of its log:\n{process.log_tail()}"
                )
        if time.monotonic() > deadline:
            tails = "\n".join(f"--- {process.name}\n{process.log_tail()}" for process in processes)
            raise LocalControlPlaneError(f"{what} was not ready within {seconds:.0f} s. The end of the logs:\n{tails}")
        time.sleep(POLL_SECONDS)
