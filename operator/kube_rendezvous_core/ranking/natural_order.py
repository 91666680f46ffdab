"""Natural order of names: node-9 before node-10."""

import re
from functools import lru_cache

from kube_rendezvous.resources import LARGEST_WORLD

_DIGITS = re.compile(r"(\d+)")

# Below everything that a name may hold, so that a part that ends comes before one that goes on.
_NUMBER, _TEXT = "\0", "\1"


@lru_cache(maxsize=3 * LARGEST_WORLD)  # name and slot of each member: one that is too small keeps nothing at all
def natural_key(name: str) -> str:
    """Sort key under which runs of digits count as numbers, and come before text.

    One string: as it is kept for names that are long gone, too, it must be small, and strings are compared fastest.
    """
    return "".join(_number(part) if part.isdecimal() else _TEXT + part for part in _DIGITS.split(name) if part)


def _number(digits: str) -> str:
    """A longer number is larger; of equal ones that with more zeros before it comes first."""
    value = str(int(digits))
    return f"{_NUMBER}{chr(len(value))}{value}{digits}"
