"""Numbers, spans of time and lists as people write them."""

from collections.abc import Sequence

_NAMES_SHOWN = 5


def span(seconds: float) -> str:
    """A span of time with its two largest units, as kubectl writes ages: 4s, 5m3s, 2h10m, 3d."""
    total = int(max(0.0, seconds))
    if 0 < seconds < 10 and seconds != total:
        return f"{seconds:.1f}s"
    days, hours, minutes, rest = total // 86400, total // 3600 % 24, total // 60 % 60, total % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    first = next((i for i, (number, _) in enumerate(parts) if number), 3)
    return "".join(f"{number}{unit}" for number, unit in parts[first : first + 2] if number) or "0s"


def age(seconds: float) -> str:
    """How long ago something was, in whole seconds at the finest."""
    return span(float(int(seconds)))


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 pod``, ``2 pods``, ``no pods``."""
    return f"{number or 'no'} {noun if number == 1 else plural or noun + 's'}"


def verb(number: int, plural: str) -> str:
    """The form of a verb that goes with a number of subjects: ``waits``, ``wait``."""
    return {"have": "has", "are": "is"}.get(plural, f"{plural}s") if number == 1 else plural


def listed(names: Sequence[str], shown: int = _NAMES_SHOWN) -> str:
    """Names separated by commas, the first few of them."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def as_sentence(text: str) -> str:
    """With a full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
