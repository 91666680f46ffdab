"""The other side: what `wait`, `env` and `leave` ask the sidecar, by its files or its HTTP endpoint."""

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from kube_rendezvous.sidecar.publication import FINAL, Publication, parse_publication
from kube_rendezvous.sidecar.shared_files import SharedFiles

_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 35.0  # to leave may take the sidecar half a minute


class SidecarUnreachableError(Exception):
    """The sidecar does not answer, or not as one; the text says what to do."""


Ask = Callable[[], Publication | None]


def ask_files(folder: Path) -> Publication | None:
    """What the files say; None: nothing yet.

    Raises:
        SidecarUnreachableError: they cannot be read.
    """
    try:
        return SharedFiles(folder).read()
    except (OSError, ValueError) as error:
        raise SidecarUnreachableError(f"{error}; is {folder} the folder of `kube-rendezvous sidecar --dir`?") from error


def ask_http(listen: str) -> Publication:
    """What the endpoint at ``host:port`` says.

    Raises:
        SidecarUnreachableError: it does not answer.
    """
    return _request("GET", listen, "/v1/round")


def wait_for_round(ask: Ask, after: int, seconds: float) -> Publication | None:
    """Ask until a round newer than ``after`` stands, or there will be none.

    Args:
        ask: asks the sidecar; one that is not there yet may come.
        after: number of a round.
        seconds: how long.

    Returns:
        What was said at the end; None: nothing.

    Raises:
        SidecarUnreachableError: it never answered.
    """
    deadline = time.monotonic() + seconds
    while True:
        said, trouble = None, None
        try:
            said = ask()
        except SidecarUnreachableError as error:
            trouble = error
        if said is not None and (said.stands_after(after) or said.state in FINAL):
            return said
        if time.monotonic() >= deadline:
            if trouble is not None:
                raise trouble
            return said
        time.sleep(_LOOK_SECONDS)


def leave(listen: str, *, close: bool) -> Publication:
    """Ask the sidecar to leave.

    Raises:
        SidecarUnreachableError: it does not answer, or could not tell the API server.
    """
    return _request("POST", listen, f"/v1/leave?close={str(close).lower()}")


def _request(method: str, listen: str, path: str) -> Publication:
    parts = urlsplit(f"//{listen}")
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_ANSWER_SECONDS)
    hint = "is `kube-rendezvous sidecar` running in this pod, and is this its --listen?"
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SidecarUnreachableError(f"http://{listen}{path}: {error}; {hint}") from error
    finally:
        connection.close()
    if answer.status == 502:
        raise SidecarUnreachableError("the sidecar left, but could not tell the API server, which is out of reach")
    try:
        return parse_publication(body)
    except ValueError as error:
        raise SidecarUnreachableError(f"http://{listen}{path}: HTTP status {answer.status}; {hint}") from error
