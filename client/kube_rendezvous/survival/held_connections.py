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

_ESTABLISHED = 1  # tcpi_state, the first byte of the kernel's struct tcp_info
_CHUNK = 1 << 20
_LOOK_SECONDS = 1.0


class HeldConnections:
    """Those of this process. Thread-safe. No thread runs where none is held.

    Args:
        seconds: for which each is held, unless its peer ends it before. So long it costs a descriptor.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._inodes: set[int] = set()
        self._epoll: select.epoll | None = None

    def hold(self, connection: socket.socket) -> None:
        """See to it that the peer can send, whatever becomes of the connection's other descriptors.

        Args:
            connection: whose reading is ended as soon as it is held; its descriptor goes on to be the caller's.
        """
        with self._lock:
            if _inode(connection) in self._inodes:
                return
            connection = connection.dup()
            if self._epoll is None:
                self._epoll = select.epoll()
                threading.Thread(target=self._drain, args=(self._epoll,), name="rendezvous-held", daemon=True).start()
            self._held[connection.fileno()] = _Held(connection, time.monotonic() + self._seconds)
            self._inodes.add(_inode(connection))
            # Told of what is new only: to the kernel a connection whose reading has been ended is readable for ever.
            self._epoll.register(connection, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def holds(self, connection: socket.socket) -> bool:
        """Whether this connection is held, by whichever descriptor."""
        with self._lock:
            return _inode(connection) in self._inodes

    def __len__(self) -> int:
        return len(self._held)

    def _drain(self, epoll: select.epoll) -> None:
        scratch = bytearray(_CHUNK)
        while True:
            events = epoll.poll(_LOOK_SECONDS)
            with self._lock:
                for descriptor, _ in events:
                    if (held := self._held.get(descriptor)) is not None and not held.still_stands(scratch):
                        self._let_go(epoll, descriptor)
                for descriptor in [number for number, held in self._held.items() if held.until <= time.monotonic()]:
                    self._let_go(epoll, descriptor)
                if not self._held:
                    self._epoll = None
                    epoll.close()
                    return

    def _let_go(self, epoll: select.epoll, descriptor: int) -> None:
        epoll.unregister(descriptor)
        held = self._held.pop(descriptor)
        self._inodes.discard(_inode(held.connection))
        held.connection.close()


class _Held:
    def __init__(self, connection: socket.socket, until: float) -> None:
        self.connection = connection
        self.until = until

    def still_stands(self, scratch: bytearray) -> bool:
        """Throw away what has come, and say whether more can come."""
        with contextlib.suppress(OSError):
            while self.connection.recv_into(scratch, 0, socket.MSG_DONTWAIT):
                pass
        return self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED


def _inode(connection: socket.socket) -> int:
    """The same for all descriptors of one socket."""
    return os.fstat(connection.fileno()).st_ino
