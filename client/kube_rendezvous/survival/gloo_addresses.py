"""Stands in for peers that never connect, so that a thread that waits for them in the making of a gloo group comes out.

The members of a group publish their addresses, and then connect to each other. One that dies, or gives the group up,
between the two leaves the others waiting for the whole time limit: there is no connection yet that could be cut. Each
connection begins with a number that its acceptor has published. So whoever waits is freed by a connection in the name
of its peer that ends at once: it raises as if the peer had died a moment later.
"""

import contextlib
import ipaddress
import socket
from dataclasses import dataclass

_NUMBER_BYTES = 8
_LONGEST_NAME = 256
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Published:
    """What a member of a group has published (gloo in torch 2.15 and jaxlib 0.10.2).

    Args:
        host, port: where it listens.
        numbers: with which the connections of its peers begin.
    """

    host: str
    port: int
    numbers: tuple[bytes, ...]


def read_published(value: bytes) -> Published | None:
    """Read it: a host name and an address, each after its length, and a number for each member; None: it is no such.

    Lengths and numbers have 64 bits, the lower ones first. The address begins as the kernel's own form of it does.
    """
    name_end = _NUMBER_BYTES + _number_at(value, 0)
    address = name_end + _NUMBER_BYTES
    end = address + _number_at(value, name_end)
    if not _NUMBER_BYTES < name_end <= _LONGEST_NAME or not address + 24 <= end < len(value):
        return None
    if (len(value) - end) % _NUMBER_BYTES:
        return None
    family, port = int.from_bytes(value[address : address + 2], "little"), value[address + 2 : address + 4]
    if family == socket.AF_INET:
        host = ipaddress.ip_address(value[address + 4 : address + 8])
    elif family == socket.AF_INET6:
        host = ipaddress.ip_address(value[address + 8 : address + 24])
    else:
        return None
    numbers = tuple(value[at : at + _NUMBER_BYTES] for at in range(end, len(value), _NUMBER_BYTES))
    return Published(str(host), int.from_bytes(port, "big"), numbers)


def stand_in_for_the_absent(ours: Published) -> None:
    """Connect to our own listener in the name of each member, and go. From any thread; needs no answer.

    Args:
        ours: what this process has published itself.
    """
    for number in ours.numbers:
        with contextlib.suppress(OSError), socket.create_connection((ours.host, ours.port), _CONNECT_SECONDS) as peer:
            peer.sendall(number)


def _number_at(value: bytes, at: int) -> int:
    return int.from_bytes(value[at : at + _NUMBER_BYTES], "little")
