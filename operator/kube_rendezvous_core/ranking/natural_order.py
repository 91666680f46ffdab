"""Natural order of names: node-9 before node-10."""

import re
from functools import lru_cache

from kube_rendezvous.resources import LARGEST_WORLD

_DIGITS = re.compile(r"(\d+)")

NaturalKey = tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=3 * LARGEST_WORLD)  # name and slot of each member: one that is too small keeps nothing at all
def natural_key(name: str) -> NaturalKey:
    """Sort key under which runs of digits count as numbers."""
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(name) if part)
