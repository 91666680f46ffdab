"""Finds connections of this process by where they begin and end, whoever in it has made them."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Collection, Iterator

Cut = Callable[[socket.socket], None]
"""What is done to a connection; its descriptor stays the caller's."""

_IPV4_IN_IPV6 = "::ffff:"


def cut_those_between(addresses: Collection[tuple[str, int]], cut: Cut) -> int:
    """Cut every connection that has one of its ends there.

    Args:
        addresses: host, as a number, and port.
        cut: may raise OSError: then the connection was gone.

    Returns:
        How many were cut.
    """
    found = 0
    for connection in own_sockets() if addresses else ():
        with contextlib.suppress(OSError):  # not connected
            if any(end_of(one) in addresses for one in (connection.getsockname(), connection.getpeername())):
                cut(connection)
                found += 1
    return found


def own_sockets() -> Iterator[socket.socket]:
    """A copy of each of this process's sockets of IPv4 and IPv6, one at a time: some are known to C++ alone."""
    names: list[str] = []
    with contextlib.suppress(OSError):  # no descriptor is free to look with
        names = os.listdir("/proc/self/fd")
    for name in names:
        with contextlib.suppress(OSError):  # closed meanwhile
            if not stat.S_ISSOCK(os.stat(int(name)).st_mode):
                continue  # what fails to become a socket object would stay open
            with duplicate(int(name)) as one:
                if one.family in (socket.AF_INET, socket.AF_INET6):
                    yield one


def end_of(address: tuple[str, int]) -> tuple[str, int]:
    """Host and port in one spelling: torch's store and gRPC reach IPv4 by sockets of IPv6."""
    return address[0].removeprefix(_IPV4_IN_IPV6), address[1]


def duplicate(descriptor: int) -> socket.socket:
    """A socket object for a duplicate of this descriptor, which stays as blocking as it is.

    `socket.setdefaulttimeout` makes every new object's socket not block, and so that of all its descriptors.

    Raises:
        OSError: it is no socket, or none is left.
    """
    own = os.dup(descriptor)
    try:
        blocks = os.get_blocking(own)
        connection = socket.socket(fileno=own)
    except BaseException:
        os.close(own)
        raise
    os.set_blocking(own, blocks)
    return connection


def numeric(host: str, port: int) -> set[tuple[str, int]]:
    """Where a host listens, for `cut_those_between`.

    Raises:
        OSError: it has no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return {end_of((str(address[0]), int(address[1]))) for *_, address in found}


def end(connection: socket.socket) -> None:
    """A `Cut`: whoever waits for this connection, in C++ too, gets an error."""
    connection.shutdown(socket.SHUT_RDWR)
