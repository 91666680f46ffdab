"""What an API server tells of itself."""

import json
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from kube_rendezvous.cluster.failures import foreign_answer

VERSION_PATH = "/version"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Version and clock.

    Args:
        version: major and minor.
        time: in whole seconds, when it answered; None if it does not tell.
    """

    version: tuple[int, int]
    time: datetime | None


def read_facts(response: Any) -> ServerFacts:
    """Read the answer to a GET of `VERSION_PATH`.

    Raises:
        ApiUnavailableError: something else than the API server has answered.
    """
    try:
        answer = json.loads(response.data)
        version = _number(answer["major"]), _number(answer["minor"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise foreign_answer(f"GET {VERSION_PATH}", response.status, response.headers, response.data) from error
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        moment = None
    return ServerFacts(version, moment)


def _number(text: str) -> int:
    """Managed clusters write ``31+``."""
    return int("".join(letter for letter in text if letter.isdecimal()))
