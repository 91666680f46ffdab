"""Starts trainers at once: ``python server.py SOCKET``, with everything imported that a trainer imports.

Two seconds of imports for each worker would be most of a test's time. This process imports once and forks a copy of
itself for each client. See `client`.

A trainer so started is a process of its own in all but its parent: it has its own number, process group, environment,
output and end of the launcher's sockets. It ends with its client, and its client ends with it.
"""

import array
import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import ddp_trainer
import torch

_LONGEST = 1 << 20
_MOST_DESCRIPTORS = 3
_PR_SET_PDEATHSIG = 1
_LAUNCHER = "RENDEZVOUS_LAUNCHER_FD"


@dataclass(frozen=True)
class Trainer:
    """What a client has asked for."""

    arguments: Sequence[str]
    environment: dict[str, str]
    descriptors: Sequence[int]


class Server:
    """Forks trainers for its clients.

    Args:
        path: of the socket on which it listens.
    """

    def __init__(self, path: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        part = f"{path}.part"
        self._listening.bind(part)
        self._listening.listen(64)
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._clients: dict[socket.socket, tuple[int, int]] = {}  # -> the trainer's number and descriptor
        os.rename(part, path)

    def serve(self) -> Trainer:
        """Serve for ever. Returns in the trainers only."""
        while True:
            for key, _ in self._selector.select():
                trainer = self._attend(key)
                if trainer is not None:
                    return trainer

    def _attend(self, key: selectors.SelectorKey) -> Trainer | None:
        if key.fileobj is self._listening:
            return self._start(self._listening.accept()[0])
        if isinstance(key.fileobj, socket.socket):
            self._client_is_gone(key.fileobj)
        else:
            self._trainer_has_ended(key.data)
        return None

    def _start(self, client: socket.socket) -> Trainer | None:
        descriptors = array.array("i")
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * descriptors.itemsize)
        try:
            packet, ancillary, _, _ = client.recvmsg(_LONGEST, room)
        except ConnectionError:  # it was killed in the midst of its request
            packet, ancillary = b"", []
        for _, _, payload in ancillary:
            descriptors.frombytes(payload)
        if not packet:
            client.close()
            return None
        number = os.fork()
        if number == 0:
            self._forget_all()
            client.close()
            return Trainer(**json.loads(packet), descriptors=list(descriptors))
        for each in descriptors:
            os.close(each)
        ends = os.pidfd_open(number)
        self._clients[client] = number, ends
        self._selector.register(client, selectors.EVENT_READ)
        self._selector.register(ends, selectors.EVENT_READ, client)
        with contextlib.suppress(OSError):  # killed since its request: the next event says so
            client.send(str(number).encode())
        return None

    def _client_is_gone(self, client: socket.socket) -> None:
        """Its launcher is, or wants the trainer to end."""
        if client not in self._clients:  # the trainer's end was among the same events
            return
        number, _ = self._clients[client]
        self._selector.unregister(client)
        os.kill(number, signal.SIGKILL)

    def _trainer_has_ended(self, client: socket.socket) -> None:
        number, ends = self._clients.pop(client)
        self._selector.unregister(ends)
        os.close(ends)
        if client in self._selector.get_map():
            self._selector.unregister(client)
        status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        with contextlib.suppress(OSError):
            client.send(str(status).encode())
        client.close()

    def _forget_all(self) -> None:
        self._selector.close()
        self._listening.close()
        for client, (_, ends) in self._clients.items():
            client.close()
            os.close(ends)


def _become(trainer: Trainer, server: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:  # it ended before the line above
        sys.exit(1)
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(trainer.environment)
    output, errors, *launcher = trainer.descriptors
    for descriptor, standard in ((output, 1), (errors, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    if launcher:
        os.environ[_LAUNCHER] = str(launcher[0])


def _import_what_is_imported_late() -> None:
    """The first optimizer imports half of torch. Starts no thread: those would be lost in the copies."""
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    assert threading.active_count() == 1


if __name__ == "__main__":
    _import_what_is_imported_late()
    itself = os.getpid()
    asked = Server(sys.argv[1]).serve()
    _become(asked, itself)
    ddp_trainer.log_to_stderr()
    ddp_trainer.main(asked.arguments)
