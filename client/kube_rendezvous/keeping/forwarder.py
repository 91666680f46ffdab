"""Pipes TCP connections to another address, and can keep their near side open when the far side is gone.

JAX's runtime ends its process within a second or two when the connection to the coordination service closes, before
Python can act; while the connection is open and silent it lets the process live. So a worker is connected to a
forwarder of its own node's launcher and to nothing else, and the loss of another node never reaches it as a closed
connection.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

_log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_ATTEMPT_SECONDS = 5.0  # a lost node answers nothing at all: its address may come back, or another of the name answer
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
_BACKLOG = 4096


class Forwarder:
    """Forwards every connection that is accepted to one target, in one thread. It serves from the start.

    Bytes wait in at most 64 KiB for each direction of a connection; a side that does not read stops the other.

    Args:
        host: of the target, an IPv4 or IPv6 address or a name; a name is looked up when it is first needed.
        port: of the target.
        listening: bound and listening; the forwarder's from now on. None: it listens on a free port of 127.0.0.1.
        shield: keep the accepted side open and silent when the target cannot be reached or is gone. Otherwise its end
            is passed on.
        connect_seconds: how long a target that refuses or does not answer is tried again for each connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        listening: socket.socket | None = None,
        shield: bool,
        connect_seconds: float = 60.0,
    ) -> None:
        self._target = (host, port)
        self._listening = listening or socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._shield = shield
        self._connect_seconds = connect_seconds
        self._addresses: list[tuple[socket.AddressFamily, tuple[str, int]]] = []
        self._pipes: set[_Pipe] = set()
        self._closing = False
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector = selectors.DefaultSelector()
        self._listening.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._address = (str(self._listening.getsockname()[0]), int(self._listening.getsockname()[1]))
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """On which it accepts."""
        return self._address[1]

    @property
    def address(self) -> str:
        """``HOST:PORT`` on which it accepts, as a worker is told it."""
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def is_used(self) -> bool:
        """Whether there is a connection that its accepted side has not ended."""
        return bool(self._pipes)

    def close(self) -> None:
        """End every connection, stop accepting, and free the thread and the descriptors. More than once: no harm."""
        with self._lock:
            if not self._closing:
                self._closing = True
                os.write(self._wake_write, b"x")
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing:
                for key, events in self._selector.select(self._until_next_attempt()):
                    if key.data is not None:
                        key.data(events)
                now = time.monotonic()
                for pipe in [each for each in self._pipes if each.next_attempt <= now]:
                    self._attempt(pipe)
        finally:
            self._free()

    def _free(self) -> None:
        for pipe in list(self._pipes):
            self._end(pipe)
        self._selector.close()
        self._listening.close()
        with self._lock:
            self._closing = True
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _until_next_attempt(self) -> float | None:
        next_attempt = min((pipe.next_attempt for pipe in self._pipes), default=_NEVER)
        return None if next_attempt == _NEVER else max(0.0, next_attempt - time.monotonic())

    def _accept(self, _: int) -> None:
        try:
            near, _peer = self._listening.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # no descriptor is left: the one that waits stays in the backlog
            _log.warning("a connection to port %d cannot be accepted: %s", self.port, error)
            time.sleep(_FIRST_PAUSE)
            return
        _make_prompt(near)
        pipe = _Pipe(near, give_up_at=time.monotonic() + self._connect_seconds)
        self._pipes.add(pipe)
        self._attempt(pipe)

    # Connecting.

    def _attempt(self, pipe: "_Pipe") -> None:
        """Begin an attempt to reach the target, or end one that has had no answer."""
        now = time.monotonic()
        if now >= pipe.give_up_at:
            _log.warning("%s:%d cannot be reached: %s", *self._target, pipe.last_error or "no answer")
            self._far_is_gone(pipe)
            return
        self._drop_far(pipe)
        try:
            addresses = self._resolved()
            family, address = addresses[pipe.attempts % len(addresses)]
            pipe.far = socket.socket(family, socket.SOCK_STREAM)
            _make_prompt(pipe.far)
            pipe.far.connect(address)
        except BlockingIOError:
            pipe.next_attempt = min(now + _ATTEMPT_SECONDS, pipe.give_up_at)
        except OSError as error:
            self._attempt_failed(pipe, error)
        else:
            self._connected(pipe)
        pipe.attempts += 1
        self._watch(pipe)

    def _resolved(self) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
        if not self._addresses:
            host, port = self._target
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._addresses = [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
        return self._addresses

    def _attempt_failed(self, pipe: "_Pipe", error: OSError) -> None:
        self._drop_far(pipe)
        pipe.last_error = error
        pipe.pause = min(pipe.pause * 2, _LONGEST_PAUSE)
        pipe.next_attempt = min(time.monotonic() + pipe.pause, pipe.give_up_at)

    def _connected(self, pipe: "_Pipe") -> None:
        pipe.connected, pipe.next_attempt = True, _NEVER

    # Moving bytes.

    def _near_is_ready(self, pipe: "_Pipe", events: int) -> None:
        if pipe.ended:
            return
        if events & selectors.EVENT_WRITE and not _send(pipe.near, pipe.to_near):
            self._end(pipe)
            return
        if events & selectors.EVENT_READ:
            if pipe.far_gone:
                if not _discard(pipe.near):
                    self._end(pipe)
                    return
            else:
                match _receive(pipe.near, pipe.to_far):
                    case _Read.END:
                        pipe.near_ended = True
                    case _Read.BROKEN:
                        self._end(pipe)
                        return
        self._watch(pipe)

    def _far_is_ready(self, pipe: "_Pipe", events: int) -> None:
        if pipe.ended or pipe.far is None:
            return
        if not pipe.connected:
            failure = pipe.far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                self._attempt_failed(pipe, OSError(failure, os.strerror(failure)))
            else:
                self._connected(pipe)
            self._watch(pipe)
            return
        gone = bool(events & selectors.EVENT_WRITE) and not _send(pipe.far, pipe.to_far)
        if events & selectors.EVENT_READ and not gone:
            gone = _receive(pipe.far, pipe.to_near) is not _Read.SOME
        if gone:
            self._far_is_gone(pipe)
        else:
            self._watch(pipe)

    def _far_is_gone(self, pipe: "_Pipe") -> None:
        self._drop_far(pipe)
        pipe.far_gone, pipe.next_attempt = True, _NEVER
        pipe.to_far.clear()
        self._watch(pipe)

    def _watch(self, pipe: "_Pipe") -> None:
        """Ask for exactly the events that this connection can use now, or end it."""
        if pipe.ended:
            return
        over = pipe.near_ended and not pipe.to_far
        unshielded = pipe.far_gone and not self._shield and not pipe.to_near
        if over or unshielded or (pipe.near_ended and not pipe.connected):
            self._end(pipe)
            return
        near = 0
        if not pipe.near_ended and len(pipe.to_far) < _CHUNK:
            near |= selectors.EVENT_READ
        if pipe.to_near:
            near |= selectors.EVENT_WRITE
        self._listen_to(pipe.near, near, lambda events: self._near_is_ready(pipe, events))
        if pipe.far is None:
            return
        far = 0
        if not pipe.connected or pipe.to_far:
            far |= selectors.EVENT_WRITE
        if pipe.connected and len(pipe.to_near) < _CHUNK:
            far |= selectors.EVENT_READ
        self._listen_to(pipe.far, far, lambda events: self._far_is_ready(pipe, events))

    def _listen_to(self, one: socket.socket, events: int, then: Callable[[int], None]) -> None:
        known = self._selector.get_map().get(one)
        if known is None:
            if events:
                self._selector.register(one, events, then)
        elif not events:
            self._selector.unregister(one)
        elif known.events != events:
            self._selector.modify(one, events, then)

    def _drop_far(self, pipe: "_Pipe") -> None:
        far, pipe.far, pipe.connected = pipe.far, None, False
        if far is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(far)
            far.close()

    def _end(self, pipe: "_Pipe") -> None:
        if pipe.ended:
            return
        pipe.ended = True
        self._pipes.discard(pipe)
        self._drop_far(pipe)
        with contextlib.suppress(KeyError):
            self._selector.unregister(pipe.near)
        pipe.near.close()


_NEVER = float("inf")


@dataclass(eq=False, slots=True)
class _Pipe:
    """One accepted connection, ``near``, and what it is connected to, ``far``. Times are of the monotonic clock."""

    near: socket.socket
    give_up_at: float
    far: socket.socket | None = None
    connected: bool = False
    far_gone: bool = False
    near_ended: bool = False
    ended: bool = False
    to_far: bytearray = field(default_factory=bytearray)
    to_near: bytearray = field(default_factory=bytearray)
    next_attempt: float = _NEVER
    attempts: int = 0
    pause: float = _FIRST_PAUSE
    last_error: OSError | None = None


class _Read(Enum):
    """What came of an attempt to read."""

    SOME = auto()
    END = auto()
    BROKEN = auto()


def _make_prompt(one: socket.socket) -> None:
    one.setblocking(False)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _receive(one: socket.socket, into: bytearray) -> _Read:
    try:
        got = one.recv(_CHUNK - len(into))
    except BlockingIOError:
        return _Read.SOME
    except OSError:
        return _Read.BROKEN
    into += got
    return _Read.SOME if got else _Read.END


def _discard(one: socket.socket) -> bool:
    try:
        return bool(one.recv(_CHUNK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _send(one: socket.socket, waiting: bytearray) -> bool:
    try:
        sent = one.send(waiting)
    except BlockingIOError:
        return True
    except OSError:
        return False
    del waiting[:sent]
    return True
