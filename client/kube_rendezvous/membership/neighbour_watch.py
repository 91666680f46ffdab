"""The thread that watches neighbours and answers them: the I/O around `neighbours`.

It runs only while the heartbeat interval is longer than the spec wishes. A datagram is answered by this process itself
and only while its heartbeat thread works: the kernel would accept a connection for a process that is stopped.
"""

import logging
import random
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kube_rendezvous.cluster import ApiFailureError, Connection, KeptThread
from kube_rendezvous.every_address import bind_on_every_address
from kube_rendezvous.membership.neighbours import Address, Neighbours, answer_to, digest_of
from kube_rendezvous.resources import MEMBER_PLURAL, MalformedMemberError, Rendezvous, parse_member
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.resources.neighbours import may_still_say, watched_by
from kube_rendezvous.signal_proof import new_lock

_log = logging.getLogger(__name__)

_LOOK_UP_SECONDS = 2.0
_LONGEST_DATAGRAM = 64
_AT_ONCE = 256
_QUIET_BETWEEN_SAYINGS = 5.0


@dataclass(frozen=True, slots=True)
class _Wish:
    """Whom to watch.

    Args:
        rendezvous_uid: of the Rendezvous.
        names: of the Members.
        unread: digest of the slice that names them; "": they are known.
        myself: the digest that datagrams call us by.
        within: seconds in which to find out where they are.
    """

    rendezvous_uid: str = ""
    names: tuple[str, ...] = ()
    unread: str = ""
    myself: bytes = b""
    within: float = 0.0


_NOBODY = _Wish()


class NeighbourWatch:
    """Watches and answers. `see` may be called from any thread; begins by itself when it is needed.

    Args:
        connection: to the API server.
        namespace, name: of the Rendezvous.
        say: called when there is something to tell the operator: the next heartbeat should carry `to_say`.
        works: whether this member does what makes it a living one.
        read_circle: reads the slice of this digest within so many seconds; then `see` is called anew.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        say: Callable[[], None],
        works: Callable[[], bool],
        read_circle: Callable[[str, float], None],
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._say = say
        self._works = works
        self._read_circle = read_circle
        self._lock = new_lock()
        self._socket: socket.socket | None = None
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._wish = _NOBODY
        self._taken = _NOBODY
        self._suspects: tuple[str, ...] = ()
        self._said: tuple[str, tuple[str, ...]] = ("", ())
        self._said_at = float("-inf")
        self._stopping = False
        self._neighbours = Neighbours()
        self._thread = KeptThread(f"rendezvous-neighbours-{name}", self._run)

    def open(self) -> int:
        """Take a port; the same one when called again. 0: there is none to be had, and nobody watches us."""
        with self._lock:
            if self._socket is None and not self._stopping:
                try:
                    self._waker = self._waker or socket.socketpair()
                    self._socket = bind_on_every_address()
                except OSError as error:
                    _log.warning("No UDP port for the neighbours' questions: %s", error)
                    return 0
            return 0 if self._socket is None else int(self._socket.getsockname()[1])

    def see(self, rendezvous: Rendezvous, me: str, circle: Sequence[str], unread: str) -> None:
        """The newest Rendezvous, and who is to be watched there.

        Args:
            rendezvous: the newest version seen.
            me: who this member is in it.
            circle: those who watch each other (`standing.circle`).
            unread: the digest of the slice that names those; "": they are known.
        """
        status, spec = rendezvous.status, rendezvous.spec
        rare = status.heartbeat_seconds > spec.heartbeat_seconds
        mine: tuple[str, ...] = ()
        if self._socket is None or not (rare or self._thread.started):
            return
        if rare and me in circle:
            mine = tuple(circle[place] for place in watched_by(circle.index(me), len(circle)))
        myself, within = digest_of(rendezvous.uid, me), status.heartbeat_seconds / 2
        wish = _Wish(rendezvous.uid, mine, unread if rare else "", myself, within)
        with self._lock:
            if wish == self._wish:
                return
            self._wish = wish
            if not self._stopping:
                if not self._thread.started:
                    self._thread.start()
                self._wake()

    def to_say(self, me: str) -> tuple[str, ...] | None:
        """Whom this Member suspects; None: the operator knows."""
        with self._lock:
            known = self._said[1] if self._said[0] == me else ()
            return None if self._suspects == known else self._suspects

    def was_said(self, me: str, suspects: tuple[str, ...]) -> None:
        """The Member of this name says so now."""
        with self._lock:
            self._said = (me, suspects)

    def stop(self) -> None:
        """End the thread, two seconds at the most, and give the port back. Safe to call twice."""
        with self._lock:
            self._stopping = True
            self._wake()
        self._thread.end()
        self._thread.join(2.0)
        with self._lock:
            for one in (self._socket, *(self._waker or ())):
                if one is not None:
                    one.close()
            self._socket = self._waker = None

    def _wake(self) -> None:
        if self._waker is not None:
            self._waker[1].send(b".")

    def _run(self) -> None:
        while True:
            with self._lock:
                link, waker, wish = self._socket, self._waker, self._wish
                if self._stopping or link is None or waker is None:
                    return
            now = time.monotonic()
            if wish is not self._taken:
                self._taken = wish
                soon = now + random.uniform(0, wish.within)
                self._neighbours.watch(wish.rendezvous_uid, wish.names, soon)
                self._neighbours.watch_those_in(wish.unread, soon)
            self._read_names(self._neighbours.to_read(now))
            self._look_up(self._neighbours.to_look_up(now), link.family)
            for address, ping in self._neighbours.pings(time.monotonic()):
                _send(link, ping, address)
            self._tell(time.monotonic())
            ready, _, _ = select.select([link, waker[0]], [], [], self._neighbours.next_in(time.monotonic()))
            if waker[0] in ready:
                waker[0].recv(4096)
            if link in ready:
                self._read(link, wish.myself)

    def _read(self, link: socket.socket, myself: bytes) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram, sender = link.recvfrom(_LONGEST_DATAGRAM)
            except OSError:  # nothing more, or the news that an earlier one did not arrive
                return
            answer = answer_to(datagram, myself)
            if answer is None:
                self._neighbours.answered(datagram, time.monotonic())
                continue
            self._neighbours.was_pinged(time.monotonic())
            if self._works():
                _send(link, answer, sender)

    def _tell(self, now: float) -> None:
        suspects = self._neighbours.suspects(now)
        with self._lock:
            if suspects == self._suspects or now - self._said_at < _QUIET_BETWEEN_SAYINGS:
                return
            self._suspects, self._said_at = suspects, now
        if suspects:
            _log.warning("Neighbours that are not heard any more; the operator will ask them: %s", ", ".join(suspects))
        self._say()

    def _read_names(self, digest: str) -> None:
        if not digest:
            return
        try:
            self._read_circle(digest, _LOOK_UP_SECONDS)
        except ApiFailureError as failure:
            _log.debug("The neighbours in slice %s are not known yet: %s", digest, failure)

    def _look_up(self, name: str | None, family: int) -> None:
        if name is None:
            return
        try:
            path = object_path(MEMBER_PLURAL, self._namespace, name)
            member = parse_member(self._connection.request("GET", path, timeout=_LOOK_UP_SECONDS))
            if may_still_say(member):
                return
            address = _resolve(member.address, member.watch_port, family) if member.watch_port else None
        except (ApiFailureError, OSError) as failure:
            _log.debug("The neighbour %s is not watched yet: %s", name, failure)
            return
        except MalformedMemberError:
            address = None
        self._neighbours.found(name, address)


def _resolve(host: str, port: int, family: int) -> Address:
    """For a socket of this family: that of IPv6 takes IPv4 addresses as well, written as its own."""
    flags = socket.AI_V4MAPPED if family == socket.AF_INET6 else 0
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM, flags=flags)
    return str(found[0][4][0]), port


def _send(link: socket.socket, datagram: bytes, address: Address) -> None:
    try:
        link.sendto(datagram, address)
    except OSError as error:
        _log.debug("No datagram to %s: %s", address, error)
