"""What a worker and the launcher of its node tell each other: one JSON object a packet, over a pair of sockets.

The worker asks for a round, says that it took it, that the work is done, or that nothing but its end can help it. The
launcher gives a round (with the listening socket itself for the worker that serves the round's store), says that one is
over, or that there will be no other. Packets keep their bounds (SOCK_SEQPACKET), so that a descriptor always belongs to
its message.
"""

import array
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kube_rendezvous.api import RendezvousError
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.survival.worker_place import WorkerPlace

DESCRIPTOR_VARIABLE = "RENDEZVOUS_LAUNCHER_FD"
"""The number of the worker's end, in its environment."""

_LONGEST = 65536


@dataclass(frozen=True, slots=True)
class Ask:
    """Worker: I run nothing; give me a round newer than ``after``. ``engine``: how it takes rounds in."""

    after: int
    engine: str


@dataclass(frozen=True, slots=True)
class Took:
    """Worker: I work in this round."""

    round: int


@dataclass(frozen=True, slots=True)
class Done:
    """Worker: all workers of the round have agreed that the work is done."""

    round: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """Worker: one of my threads waits in this round, which is over, and nothing can end that but my end."""

    round: int


@dataclass(frozen=True, slots=True)
class Give:
    """Launcher: take this round in."""

    place: WorkerPlace
    listening: socket.socket | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Launcher: this round is over; another one is to come."""

    why: Interruption


@dataclass(frozen=True, slots=True)
class NoMore:
    """Launcher: there will be no other round. ``closed``: because the rendezvous is closed."""

    message: str
    closed: bool


class LostSocketError(Exception):
    """See `receive_from_launcher`."""


FromWorker = Ask | Took | Done | Stuck
FromLauncher = Give | Over | NoMore

_FROM_WORKER: dict[str, type[FromWorker]] = {"ask": Ask, "took": Took, "done": Done, "stuck": Stuck}


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """The launcher's end and the worker's, which is to be inherited."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.set_inheritable(True)
    return ours, theirs


def send_to_launcher(end: socket.socket, message: FromWorker) -> None:
    """Send one message.

    Raises:
        OSError: the launcher is gone.
    """
    kind = next(kind for kind, its in _FROM_WORKER.items() if isinstance(message, its))
    end.send(json.dumps({"kind": kind, **asdict(message)}).encode())


def receive_from_worker(end: socket.socket) -> FromWorker | None:
    """Wait for one message; None: the worker has closed its end.

    Raises:
        ValueError, KeyError, TypeError: it is none of ours.
        OSError: our own end was closed.
    """
    packet = end.recv(_LONGEST)
    if not packet:
        return None
    said = _said(packet)
    return _FROM_WORKER[said.pop("kind")](**said)


def send_to_worker(end: socket.socket, message: FromLauncher) -> None:
    """Send one message.

    Raises:
        OSError: the worker is gone.
    """
    match message:
        case Give(place, listening):
            _send(end, {"kind": "give", "place": place.to_json()}, listening)
        case Over(why):
            _send(end, {"kind": "over", **asdict(why)}, None)
        case NoMore(text, closed):
            _send(end, {"kind": "no-more", "message": text, "closed": closed}, None)


def receive_from_launcher(end: socket.socket) -> FromLauncher | None:
    """Wait for one message; None: the launcher has closed its end.

    Raises:
        ValueError, KeyError, TypeError: it is none of ours.
        LostSocketError: the socket that came with it is lost: this process had no free descriptor.
        OSError: our own end was closed.
    """
    descriptors = array.array("i")
    space = socket.CMSG_SPACE(descriptors.itemsize)
    packet, ancillary, flags, _ = end.recvmsg(_LONGEST, space, socket.MSG_CMSG_CLOEXEC)
    if flags & socket.MSG_CTRUNC:
        raise LostSocketError(
            "the socket for the round's store could not be taken from the launcher: this process has no free file "
            "descriptor (ulimit -n)"
        )
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    message: FromLauncher | None = None
    try:
        message = _from_launcher(_said(packet), descriptors) if packet else None
    finally:
        if not isinstance(message, Give):
            for descriptor in descriptors:
                os.close(descriptor)
    return message


_taken_numbers: set[str] = set()


def inherited_end() -> socket.socket | None:
    """The worker's end, if a launcher has started this process; not inherited further.

    Raises:
        RendezvousError: this process has it already: of two that listen on one end each misses what the other hears.
    """
    number = os.environ.get(DESCRIPTOR_VARIABLE, "")
    if number in _taken_numbers:
        raise RendezvousError(
            "survive() was called in this process before. A process takes part once under `kube-rendezvous run "
            "--keep-survivors`: keep the group that the first call made, and put all that the workers do together into "
            "the body of its loop"
        )
    with contextlib.suppress(ValueError, OSError):
        end = _waiting_for_ever(int(number))
        if (end.family, end.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            end.set_inheritable(False)
            _taken_numbers.add(number)
            return end
        end.detach()  # it is somebody else's: our parent has a launcher, and we inherit the variable alone
    return None


def _waiting_for_ever(descriptor: int) -> socket.socket:
    """Whatever `socket.setdefaulttimeout` the trainer has set: it holds for sockets that come by a descriptor, too."""
    taken = socket.socket(fileno=descriptor)
    if taken.gettimeout() is not None:
        taken.settimeout(None)
    return taken


def _said(packet: bytes) -> dict[str, Any]:
    said = json.loads(packet)
    if not isinstance(said, dict):
        raise ValueError(f"{said!r} is no message")
    return said


def _from_launcher(said: dict[str, Any], descriptors: Sequence[int]) -> FromLauncher:
    match said.pop("kind"):
        case "give":
            place = WorkerPlace.from_json(said["place"])
            return Give(place, _waiting_for_ever(descriptors[0]) if descriptors else None)
        case "over":
            return Over(Interruption(**said))
        case "no-more":
            return NoMore(**said)
        case unknown:
            raise ValueError(f"the launcher said {unknown!r}")


def _send(end: socket.socket, said: dict[str, Any], listening: socket.socket | None) -> None:
    packet = json.dumps(said).encode()
    if listening is None:
        end.send(packet)
    else:
        socket.send_fds(end, [packet], [listening.fileno()])
