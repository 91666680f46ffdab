"""Keeps connections open for a while that gloo has given up, and throws away what still comes.

A peer that is frozen, not gone, goes on where it was when it wakes: in the midst of a transfer to us. Were the
connection gone, gloo would tell nobody who waits for that transfer (torch 2.15.0: an error of a connection is not told
to what is queued for sending on it), and the peer's thread would wait for the collective timeout. On a connection that
still stands the transfer ends, and then the peer's own news frees its thread.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections import Counter

from kube_rendezvous.survival.own_connections import duplicate

_log = logging.getLogger(__name__)

_ESTABLISHED = 1  # tcpi_state, the first byte of the kernel's struct tcp_info
_CHUNK = 1 << 20
_LOOK_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 0.05

_Socket = tuple[int, int]
"""Device and inode: the same for all descriptors of one socket, and nothing else's."""


class HeldConnections:
    """Those of this process. Thread-safe. No thread runs where none is held.

    Nothing is read as long as another descriptor of the connection is open: gloo would go on in the midst of what it
    reads with bytes that belong elsewhere.

    Args:
        seconds: for which each is held, unless its peer ends it before. So long it costs a descriptor.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[_Socket, _Held] = {}
        self._drained = False

    def hold(self, connection: socket.socket) -> None:
        """See to it that the peer can send, whatever becomes of the connection's other descriptors.

        Args:
            connection: whose reading is ended as soon as it is held; its descriptor goes on to be the caller's. One
                that the peer has ended is not held.

        Raises:
            OSError: no descriptor is left.
        """
        with self._lock:
            which = _identity(connection.fileno())
            if which in self._held or not _stands(connection):
                return
            if not self._drained:
                thread = threading.Thread(target=self._drain, args=(select.epoll(),), name="rendezvous-held")
                thread.daemon = True
                thread.start()
                self._drained = True
            self._held[which] = _Held(connection, which, time.monotonic() + self._seconds)

    def holds(self, connection: socket.socket) -> bool:
        """Whether this connection is held, by whichever descriptor."""
        with self._lock:
            return _identity(connection.fileno()) in self._held

    def __len__(self) -> int:
        return len(self._held)

    def _drain(self, epoll: select.epoll) -> None:
        try:
            with epoll:
                self._drain_until_none_is_held(epoll)
        except BaseException:
            with self._lock:
                self._drained = False  # the next one that is held is drained, and these with it
                for held in self._held.values():
                    held.watched_by = None
            raise

    def _drain_until_none_is_held(self, epoll: select.epoll) -> None:
        scratch, pause = bytearray(_CHUNK), _FIRST_LOOK_SECONDS
        while True:
            with self._lock:
                everyone = list(self._held.values())
            _watch_those_that_are_ours_alone(everyone, epoll)
            watched = {held.connection.fileno(): held for held in everyone if held.ours_alone}
            pause = _FIRST_LOOK_SECONDS if len(watched) == len(everyone) else min(2 * pause, _LOOK_SECONDS)
            events = epoll.poll(_LOOK_SECONDS if len(watched) == len(everyone) else pause)
            told = [watched[number] for number, _ in events if number in watched]
            over = {held.which for held in told if not held.still_stands(scratch)}
            over |= {held.which for held in everyone if held.until <= time.monotonic()}
            with self._lock:
                for which in over:
                    self._held.pop(which).let_go()
                if not self._held:
                    self._drained = False
                    return


class _Held:
    def __init__(self, connection: socket.socket, which: _Socket, until: float) -> None:
        # Not `dup` of the socket object, which would make gloo's own descriptor blocking.
        self.connection = duplicate(connection.fileno())
        self.which = which
        self.until = until
        self.watched_by: select.epoll | None = None

    @property
    def ours_alone(self) -> bool:
        """Whether it was seen that nothing else in this process reads from it."""
        return self.watched_by is not None

    def still_stands(self, scratch: bytearray) -> bool:
        """Throw away what has come, and say whether more can come."""
        with contextlib.suppress(OSError):
            while self.connection.recv_into(scratch, 0, socket.MSG_DONTWAIT):
                pass
        return _stands(self.connection)

    def let_go(self) -> None:
        """End it: for the peer, too, where a forked process has it."""
        if self.watched_by is not None:
            self.watched_by.unregister(self.connection)  # closing does not, as long as such a process has it
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def _watch_those_that_are_ours_alone(everyone: list[_Held], epoll: select.epoll) -> None:
    waiting = [held for held in everyone if not held.ours_alone]
    try:
        descriptors = _descriptors() if waiting else Counter()
    except OSError as error:
        _log.debug("connections that are held wait for a free descriptor: %s", error)
        return
    for held in waiting:
        if descriptors[held.which] == 1:
            # Told of what is new only: to the kernel a connection whose reading was ended is readable for ever.
            epoll.register(held.connection, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
            held.watched_by = epoll


def _stands(connection: socket.socket) -> bool:
    """Whether neither end has ended it."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED


def _identity(descriptor: int) -> _Socket:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _descriptors() -> Counter[_Socket]:
    """How many of this process refer to each open file."""
    counted: Counter[_Socket] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            counted[_identity(int(name))] += 1
    return counted
