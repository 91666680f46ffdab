"""Keeps connections open for a while that gloo has given up, and throws away what still comes.

A peer that is frozen, not gone, goes on where it was when it wakes: in the midst of a transfer to us. Were the
connection gone, gloo would tell nobody who waits for that transfer (torch 2.15.0: an error of a connection is not told
to what is queued for sending on it), and the peer's thread would wait for the collective timeout. On a connection that
still stands the transfer ends, and then the peer's own news frees its thread.
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections import Counter

_ESTABLISHED = 1  # tcpi_state, the first byte of the kernel's struct tcp_info
_CHUNK = 1 << 20
_LOOK_SECONDS = 1.0
_LET_GO_SECONDS = 0.05


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
        self._held: dict[int, _Held] = {}  # by descriptor
        self._inodes: set[int] = set()
        self._drained = False

    def hold(self, connection: socket.socket) -> None:
        """See to it that the peer can send, whatever becomes of the connection's other descriptors.

        Args:
            connection: whose reading is ended as soon as it is held; its descriptor goes on to be the caller's.
        """
        with self._lock:
            inode = _inode(connection)
            if inode in self._inodes:
                return
            held = _Held(connection.dup(), inode, time.monotonic() + self._seconds)
            self._held[held.connection.fileno()] = held
            self._inodes.add(inode)
            if not self._drained:
                self._drained = True
                threading.Thread(
                    target=self._drain, args=(select.epoll(),), name="rendezvous-held", daemon=True
                ).start()

    def holds(self, connection: socket.socket) -> bool:
        """Whether this connection is held, by whichever descriptor."""
        with self._lock:
            return _inode(connection) in self._inodes

    def __len__(self) -> int:
        return len(self._held)

    def _drain(self, epoll: select.epoll) -> None:
        scratch = bytearray(_CHUNK)
        with epoll:
            while True:
                self._watch_those_that_are_ours_alone(epoll)
                some_are_not = any(not held.ours_alone for held in list(self._held.values()))
                events = epoll.poll(_LET_GO_SECONDS if some_are_not else _LOOK_SECONDS)
                ended = {number for number, _ in events if not self._held[number].still_stands(scratch)}
                with self._lock:
                    for number, held in list(self._held.items()):
                        if number in ended or held.until <= time.monotonic():
                            del self._held[number]
                            self._inodes.discard(held.inode)
                            held.connection.close()  # and so it is no longer watched
                    if not self._held:
                        self._drained = False
                        return

    def _watch_those_that_are_ours_alone(self, epoll: select.epoll) -> None:
        with self._lock:
            waiting = [held for held in self._held.values() if not held.ours_alone]
        descriptors = _descriptors_by_inode() if waiting else Counter()
        for held in waiting:
            if descriptors[held.inode] == 1:
                held.ours_alone = True
                # Told of what is new only: to the kernel a connection whose reading was ended is readable for ever.
                epoll.register(held.connection, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)


class _Held:
    def __init__(self, connection: socket.socket, inode: int, until: float) -> None:
        self.connection = connection
        self.inode = inode
        self.until = until
        self.ours_alone = False

    def still_stands(self, scratch: bytearray) -> bool:
        """Throw away what has come, and say whether more can come."""
        with contextlib.suppress(OSError):
            while self.connection.recv_into(scratch, 0, socket.MSG_DONTWAIT):
                pass
        return self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED


def _inode(connection: socket.socket) -> int:
    """The same for all descriptors of one socket."""
    return os.fstat(connection.fileno()).st_ino


def _descriptors_by_inode() -> Counter[int]:
    """How many of this process refer to each open file."""
    counted: Counter[int] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            counted[os.fstat(int(name)).st_ino] += 1
    return counted
