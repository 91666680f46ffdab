"""Rank keys: how a round of some hundred members tells each its rank in little space, in the status itself.

Names are long, and the status goes to everybody. A key is eight bytes of a hash of the name; the keys lie in the order
of the ranks, so that a member that knows its name finds its rank and asks nobody. The names themselves lie in slices
(`rendezvous_slice`).
"""

import hashlib
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Sequence

_BYTES = 8
"""Somebody who is not in a round of a thousand takes himself for one of it once in 10^16 rounds."""

_LINE = 96 * _BYTES
"""Of a line of text, which has 1024 letters then."""


def rank_keys(names: Sequence[str]) -> bytes:
    """The keys of those with ranks 0, 1, …; b"" where two of them would have the same."""
    keys = [_key(name) for name in names]
    return b"".join(keys) if len(set(keys)) == len(keys) else b""


def rank_by_key(name: str, keys: bytes) -> int | None:
    """The rank of the member of this name; None: it has none."""
    key, found = _key(name), -1
    while (found := keys.find(key, found + 1)) >= 0:
        if found % _BYTES == 0:
            return found // _BYTES
    return None


def rank_keys_to_lines(keys: bytes) -> list[str]:
    """As the status has them."""
    return [b64encode(keys[start : start + _LINE]).decode() for start in range(0, len(keys), _LINE)]


def parse_rank_keys(lines: object, world_size: int) -> bytes:
    """The keys; b"" where there are none, or not one for each rank."""
    try:
        keys = b"".join(a2b_base64(line, strict_mode=True) for line in lines) if isinstance(lines, list) else b""
    except (Error, ValueError, TypeError):
        return b""
    return keys if len(keys) == world_size * _BYTES else b""


def _key(name: str) -> bytes:
    """Not of the bytes that say in which slice the name lies: these are alike in one slice."""
    return hashlib.sha256(name.encode()).digest()[_BYTES : 2 * _BYTES]
