"""The lock of a place: one process of a pod holds it, and the system takes it when that process ends, however it ends.

It is a name in the abstract namespace of Unix sockets, which all containers of a pod share, and nobody else: a second
container, or a debugging run by `kubectl exec`, finds it taken. The holder answers with its name. One that does not
answer has ended and left the socket to a child, or hangs: then nobody has the lock, and heartbeats tell who lives.
"""

import contextlib
import hashlib
import logging
import os
import socket
import threading
import time

from kube_rendezvous.signal_proof import start_once

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
_PATIENCE_SECONDS = 3.0
"""The predecessor may be about to end: who starts a node again in the same container does so at once."""
_PAUSE_SECONDS = 0.1
_LONGEST_ANSWER = 512


class PlaceTakenError(Exception):
    """Another process of this pod holds the place; the text says which one."""


class PlaceLock:
    """The lock of one place, held until `release`. Made by `take_place`."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.member = ""
        """Name of the Member that holds the place, for those who ask."""
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._answer, name="rendezvous-place", daemon=True)

    def begin(self) -> None:
        """Answer whoever asks for the holder. Safe to call again."""
        start_once(self._thread, self._starting)

    def release(self) -> None:
        """Let it go. Safe to call twice."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close alone would not
        self._listening.close()
        if self._thread.ident is not None:
            self._thread.join(1.0)  # only when it has left the socket is the name free

    def _answer(self) -> None:
        while True:
            try:
                asking, _ = self._listening.accept()
            except OSError:  # released
                return
            with asking, contextlib.suppress(OSError):
                asking.sendall(f"{self.member or 'a node that is joining'} (process {os.getpid()})".encode())


def take_place(pod_uid: str, namespace: str, rendezvous: str, slot: str, *, give_up: float) -> PlaceLock | None:
    """Take the lock of a place.

    Args:
        pod_uid: of this pod.
        namespace, rendezvous: where this node takes part.
        slot: of this node, perhaps "".
        give_up: when to stop waiting for a holder to end, on the monotonic clock.

    Returns:
        The lock, which is to be kept and then to `begin`; None if it cannot be had here: no such sockets, or a holder
        that does not answer.

    Raises:
        PlaceTakenError: another process holds it, and answers.
    """
    key = hashlib.sha256("/".join((pod_uid, namespace, rendezvous, slot)).encode()).hexdigest()[:32]
    name = f"\0kube-rendezvous/{key}"
    give_up = min(give_up, time.monotonic() + _PATIENCE_SECONDS)
    while True:
        listening = None
        try:
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listening.bind(name)
            listening.listen(8)
            return PlaceLock(listening)
        except OSError as error:
            if listening is not None:
                listening.close()
            _log.debug("The lock of the place is not free: %s", error)
        try:
            holder = _ask(name)
        except ConnectionError:
            holder = None  # it ended this moment, or nobody ever had it
        except OSError:
            return None
        if time.monotonic() >= give_up:
            if holder:
                raise PlaceTakenError(holder)
            return None
        time.sleep(_PAUSE_SECONDS)


def _ask(name: str) -> str:
    """Who holds it; "" if it hangs up without a word."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        asking.connect(name)
        return asking.recv(_LONGEST_ANSWER).decode(errors="replace")
