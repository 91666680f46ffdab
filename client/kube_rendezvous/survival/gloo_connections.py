"""Cuts this process's gloo connections, so that every collective that waits in one raises at once.

Nothing in torch frees a thread that waits in a gloo collective whose peers are silent but connected: `abort` and
`shutdown` return and free nobody, and `_reconfigure` is not made for a group that is in use. Its connections are
sockets, though. When the kernel says that they have ended, gloo's own event loop fails whatever waits for them and
whatever is tried later: just as if the peers had died, whichever group they serve.

They are found without any private name: gloo's event loop is a thread with a name of its own, the kernel says in which
epoll descriptor it waits (/proc/self/task/*/syscall) and what that watches (/proc/self/fdinfo). Where the kernel does
not tell, or the thread has no name (torch before 2.15), they are the sockets that begin or end where a member listens.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from kube_rendezvous.survival.held_connections import HeldConnections
from kube_rendezvous.survival.own_connections import Cut, cut_those_between, duplicate

MOMENT_SECONDS = 0.5
"""How long to wait before `end_reading`: long enough for the peers' ends to come, one after the other around the ring.

A thread whose transfer is under way at the moment of the cut may be left to wait for the collective timeout. When all
that can come has come, no transfer is under way.
"""

_HELD_SECONDS = 60.0
"""How long a peer may be frozen and still find its connections as they were."""

_LOOP = b"gloo_tcp_loop"
_EPOLL = "anon_inode:[eventpoll]"
_LOOK_SECONDS = 0.05
_SELF = Path("/proc/self")


class GlooConnections:
    """All of this process. Not thread-safe: the caller sees to that only one call runs at a time.

    Args:
        addresses: where the members of its groups listen, as far as they are known: host and port.
    """

    def __init__(self, addresses: Callable[[], Collection[tuple[str, int]]] = frozenset) -> None:
        self._addresses = addresses
        self._epoll_of: dict[str, int] = {}
        self._held = HeldConnections(_HELD_SECONDS)

    def end_reading(self) -> int:
        """Let waiting collectives fail. From any thread, while others wait in collectives.

        Only the reading side is ended: a write that failed under gloo's own loop would leave its sender waiting. Peers
        see nothing of it for now, also when gloo has closed what has ended: see `HeldConnections`.

        Returns:
            How many connections were found.
        """
        return self._cut(self._end_reading_of)

    def end(self) -> int:
        """End them, for the peers too. Only while no thread of this process waits in a collective.

        Not those whose reading was ended before: their peers are frozen, or have the news that this process had.
        """
        return self._cut(self._end_those_not_held)

    def _end_reading_of(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # without a free descriptor the peer fares as with others
            self._held.hold(connection)
        connection.shutdown(socket.SHUT_RD)

    def _end_those_not_held(self, connection: socket.socket) -> None:
        if not self._held.holds(connection):
            connection.shutdown(socket.SHUT_RDWR)

    def _cut(self, cut: Cut) -> int:
        epolls = self._epolls()
        if not epolls:
            return cut_those_between(self._addresses(), cut)
        found = 0
        for epoll in epolls:
            for watched in _watched_by(epoll):
                with contextlib.suppress(OSError):  # closed meanwhile, not a socket, not connected
                    found += _cut_if_still_there(watched, cut)
        return found

    def _epolls(self) -> set[int]:
        """The epoll descriptors of gloo's loops. A loop that is busy is looked at again until it waits."""
        deadline = time.monotonic() + _LOOK_SECONDS
        while True:
            threads = _loop_threads()
            self._epoll_of = {thread: its for thread, its in self._epoll_of.items() if thread in threads}
            for thread in threads - self._epoll_of.keys():
                if (descriptor := _waits_in_epoll(thread)) is not None:
                    self._epoll_of[thread] = descriptor
            if len(self._epoll_of) == len(threads) or time.monotonic() > deadline:
                return set(self._epoll_of.values())
            time.sleep(0.0001)


def _loop_threads() -> set[str]:
    found: set[str] = set()
    tasks: list[Path] = []
    with contextlib.suppress(OSError):  # no descriptor is free to look with
        tasks = list((_SELF / "task").iterdir())
    for task in tasks:
        with contextlib.suppress(OSError):  # ended meanwhile
            if (task / "comm").read_bytes().strip() == _LOOP:  # cut off by the kernel, within a letter too
                # With its start, because numbers of threads come again.
                found.add(f"{task.name} {(task / 'stat').read_text().rpartition(')')[2].split()[19]}")
    return found


def _waits_in_epoll(thread: str) -> int | None:
    with contextlib.suppress(OSError, IndexError, ValueError):
        call = (_SELF / "task" / thread.split()[0] / "syscall").read_text().split()
        descriptor = int(call[1], 16)
        if os.readlink(_SELF / "fd" / str(descriptor)) == _EPOLL:
            return descriptor
    return None


@dataclass(frozen=True, slots=True)
class _Watched:
    descriptor: int
    inode: int


def _watched_by(epoll: int) -> list[_Watched]:
    """Lines of ``tfd: 7 events: 1d data: 0 pos:0 ino:2a sdev:8``."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in (_SELF / "fdinfo" / str(epoll)).read_text().splitlines()]
        return [
            _Watched(int(line[1]), int(inode.removeprefix("ino:"), 16))
            for line in lines
            if line and line[0] == "tfd:"
            for inode in line
            if inode.startswith("ino:")
        ]
    return []


def _cut_if_still_there(watched: _Watched, cut: Cut) -> bool:
    with duplicate(watched.descriptor) as connection:
        if os.fstat(connection.fileno()).st_ino != watched.inode:
            return False  # closed meanwhile, and its number is another one's
        connection.getpeername()
        cut(connection)
        return True
