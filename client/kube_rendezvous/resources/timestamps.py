"""RFC 3339 timestamps as Kubernetes writes them (``Time`` and ``MicroTime``), always in UTC.

The API server lets more pass as a time than Python can count with: year 0, offsets of days, years near the ends of the
calendar. Each of them is read as the nearest time that can be added to and taken from; no time in an object is a
reason not to read the object.
"""

import re
from datetime import UTC, datetime

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Far enough from the ends of the calendar that every duration of this project can be added."""

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(.\d+)?([Zz]|[+-]\d\d:\d\d)")
"""What the API server takes for a ``date-time``."""


def parse_time(text: str) -> datetime:
    """Parse a Kubernetes timestamp; one outside of `EARLIEST` to `LATEST` is taken for the nearer of them.

    Raises:
        ValueError: it is not one.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _read_what_python_cannot(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= LATEST:
        return EARLIEST if moment < EARLIEST else LATEST
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Write a timestamp to the microsecond, as Kubernetes' ``MicroTime`` does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _read_what_python_cannot(text: str) -> datetime:
    """An odd fraction or offset is left out, an impossible date is the earliest."""
    parts = _DATE_TIME.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r:.60} is no time such as 2026-03-01T12:00:00Z")
    try:
        return datetime.fromisoformat(f"{parts[1]}T{parts[2]}+00:00")
    except ValueError:
        return EARLIEST
