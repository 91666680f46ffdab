"""Which names are probably meant."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches

_DIGITS = re.compile(r"\d+")


def looks_like(written: str, meant: str) -> bool:
    """Whether one name is probably the other one mistyped: a few letters wrong, missing, too many or swapped.

    Names that differ in their numbers only are different runs.
    """
    one, other = _plain(written), _plain(meant)
    if not written or written == meant or (one != other and _DIGITS.sub("", one) == _DIGITS.sub("", other)):
        return False
    limit = 1 if len(meant) <= 3 else 2 if len(meant) <= 12 else 3
    return _edits(one, other) <= limit


def nearest(name: str, names: Iterable[str]) -> Sequence[str]:
    """Up to three names that the reader may have meant, the likeliest first."""
    return get_close_matches(name, list(names), n=3, cutoff=0.6)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")


def _edits(one: str, other: str) -> int:
    """Letters to change, drop or add; two swapped neighbours count as two."""
    steps = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for step, a, b, c, d in steps if step != "equal")
