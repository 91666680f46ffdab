"""What a member knows of the neighbours that it watches. Sans I/O: times are arguments, datagrams are bytes.

A neighbour is suspected when it answered once and does not any more, while somebody else is still heard: whoever hears
nobody may be cut off himself, or a network policy lets no member reach another, and then heartbeats alone count.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

PING_EVERY_SECONDS = 2.0
SUSPECTED_AFTER_SECONDS = 6.0
LOOKED_UP_AGAIN_SECONDS = 30.0

_PING, _PONG = b"KRDZVp1:", b"KRDZVa1:"
_NONCE, _DIGEST = 8, 16

Address = tuple[str, int]


def digest_of(rendezvous_uid: str, member: str) -> bytes:
    """What a datagram calls a member by: only that incarnation answers, whoever may have got its port since."""
    return hashlib.blake2b(f"{rendezvous_uid}/{member}".encode(), digest_size=_DIGEST).digest()


def answer_to(datagram: bytes, myself: bytes) -> bytes | None:
    """The answer to a ping that asks for this digest; it is as long as the ping. None: it is no such ping."""
    head, nonce, digest = datagram[: len(_PING)], datagram[len(_PING) : -_DIGEST], datagram[-_DIGEST:]
    if head != _PING or len(nonce) != _NONCE or digest != myself:
        return None
    return _PONG + nonce + digest


@dataclass(slots=True)
class _Neighbour:
    """Args: ``heard``: when it answered last; None: never yet. Times are on the monotonic clock."""

    digest: bytes
    address: Address | None = None
    look_up_at: float = 0.0
    ping_at: float = 0.0
    nonces: tuple[bytes, ...] = ()
    heard: float | None = None


class Neighbours:
    """The watched ones. Not thread-safe."""

    def __init__(self) -> None:
        self._watched: dict[str, _Neighbour] = {}
        self._unread = ""
        self._read_at = 0.0
        self._others_heard = float("-inf")
        self._looked: float | None = None

    def watch(self, rendezvous_uid: str, names: Sequence[str], look_up_from: float) -> None:
        """Watch these and no others.

        Args:
            rendezvous_uid: of the Rendezvous.
            names: of the Members; those that were watched before stay as they are.
            look_up_from: when to ask for the addresses of the new ones: thousands of members must not ask together.
        """
        self._watched = {
            name: self._watched.get(name) or _Neighbour(digest_of(rendezvous_uid, name), look_up_at=look_up_from)
            for name in names
        }

    def watch_those_in(self, slice_digest: str, read_from: float) -> None:
        """Who is to be watched lies in a slice that is still to be read; "": it is known.

        Args:
            slice_digest: of the slice.
            read_from: when to read it: see `watch`.
        """
        if slice_digest != self._unread:
            self._unread, self._read_at = slice_digest, read_from

    def to_read(self, now: float) -> str:
        """The digest of a slice that is needed now; "": none is."""
        if not self._unread or self._read_at > now:
            return ""
        self._read_at = now + LOOKED_UP_AGAIN_SECONDS
        return self._unread

    def to_look_up(self, now: float) -> str | None:
        """One whose address is needed now."""
        for name, neighbour in self._watched.items():
            if neighbour.address is None and neighbour.look_up_at <= now:
                neighbour.look_up_at = now + LOOKED_UP_AGAIN_SECONDS
                return name
        return None

    def found(self, name: str, address: Address | None) -> None:
        """Where it answers; None: nowhere, it is not to be watched."""
        neighbour = self._watched.get(name)
        if neighbour is not None:
            neighbour.address = address
            if address is None:
                neighbour.look_up_at = float("inf")

    def pings(self, now: float) -> list[tuple[Address, bytes]]:
        """What to send now. Whoever was asleep himself has heard nobody, and says nothing of others for that."""
        if self._looked is not None and now - self._looked > SUSPECTED_AFTER_SECONDS / 2:
            for neighbour in self._watched.values():
                neighbour.heard = None if neighbour.heard is None else now
        self._looked = now
        due = []
        for neighbour in self._watched.values():
            if neighbour.address is not None and neighbour.ping_at <= now:
                neighbour.ping_at = now + PING_EVERY_SECONDS
                nonce = secrets.token_bytes(_NONCE)
                neighbour.nonces = (*neighbour.nonces[-3:], nonce)
                due.append((neighbour.address, _PING + nonce + neighbour.digest))
        return due

    def answered(self, datagram: bytes, now: float) -> None:
        """Take a datagram that is no ping: an answer counts if it repeats what was sent."""
        head, nonce, digest = datagram[: len(_PONG)], datagram[len(_PONG) : -_DIGEST], datagram[-_DIGEST:]
        for neighbour in self._watched.values():
            if head == _PONG and digest == neighbour.digest and nonce in neighbour.nonces:
                neighbour.heard = now

    def was_pinged(self, now: float) -> None:
        """Somebody who watches us was heard."""
        self._others_heard = now

    def suspects(self, now: float) -> tuple[str, ...]:
        """Those that fell silent, while somebody else is heard."""
        heard = {name: one.heard for name, one in self._watched.items() if one.heard is not None}
        silent = [name for name, when in heard.items() if now - when >= SUSPECTED_AFTER_SECONDS]
        if not silent:
            return ()
        latest = max([self._others_heard, *heard.values()])
        return tuple(silent) if now - latest < SUSPECTED_AFTER_SECONDS else ()

    def next_in(self, now: float) -> float:
        """Seconds until there is something to do, at the most one ping's distance."""
        moments = [one.look_up_at if one.address is None else one.ping_at for one in self._watched.values()]
        moments += [self._read_at] if self._unread else []
        return min(PING_EVERY_SECONDS, max(0.0, min(moments, default=now + PING_EVERY_SECONDS) - now))
