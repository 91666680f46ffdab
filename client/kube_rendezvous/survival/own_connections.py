"""Finds connections of this process by where they begin and end, whoever in it has made them."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Collection

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
    for name in os.listdir("/proc/self/fd") if addresses else ():
        with contextlib.suppress(OSError):  # closed meanwhile, not connected
            if not stat.S_ISSOCK(os.stat(int(name)).st_mode):
                continue  # what fails to become a socket object would stay open
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                if any(_end(one) in addresses for one in (connection.getsockname(), connection.getpeername())):
                    cut(connection)
                    found += 1
    return found


def _end(address: tuple[str, int]) -> tuple[str, int]:
    """Torch's store reaches IPv4 by sockets of IPv6."""
    return address[0].removeprefix(_IPV4_IN_IPV6), address[1]


def end_those_to(host: str, port: int) -> None:
    """End every connection to a host, a name or a number: whoever waits for it, in C++ too, gets an error."""
    with contextlib.suppress(OSError):  # no such name any more
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = {_end((str(address[0]), int(address[1]))) for *_, address in found}
        cut_those_between(addresses, lambda connection: connection.shutdown(socket.SHUT_RDWR))
