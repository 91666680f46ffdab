"""RFC 3339 timestamps as Kubernetes writes them (``Time`` and ``MicroTime``), always in UTC."""

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """Parse a Kubernetes timestamp.

    Raises:
        ValueError: it is not one.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Write a timestamp to the microsecond, as Kubernetes' ``MicroTime`` does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
