"""Listening so that whoever knows this host by one of its addresses gets through: the family is not read from spelling.

A name says nothing of what it leads to, IPv4 or IPv6, and a host may have both. Where the system has IPv6, one socket
takes either: an IPv4 client shows there as ``::ffff:ADDRESS``.
"""

import contextlib
import socket


def listen_on_every_address(backlog: int, port: int = 0) -> socket.socket:
    """Listen on all addresses of this host, of both families if it has both.

    Args:
        backlog: how many connections may wait to be accepted.
        port: 0: any free one.

    Raises:
        OSError: the port is taken, or no socket can be had.
    """
    try:
        listening = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    except OSError:
        return _listen(socket.socket(socket.AF_INET, socket.SOCK_STREAM), "0.0.0.0", port, backlog)
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        return _listen(listening, "::", port, backlog)
    except OSError:
        # IPv6 may be switched off though the system knows it. If it is the port that is taken, this fails as well.
        return _listen(socket.socket(socket.AF_INET, socket.SOCK_STREAM), "0.0.0.0", port, backlog)


def bind_on_every_address() -> socket.socket:
    """A socket that does not block, for datagrams to a free port of any address of this host, of both families.

    Raises:
        OSError: no socket can be had.
    """
    for family, everywhere in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            bound = socket.socket(family, socket.SOCK_DGRAM)
        except OSError:
            continue
        with contextlib.suppress(OSError):
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            bound.bind((everywhere, 0))
            bound.setblocking(False)
            return bound
        except OSError:
            bound.close()
    raise OSError("no UDP socket can be bound, over IPv6 or IPv4")


def loopback_of(listening: socket.socket) -> str:
    """An address by which this host itself reaches a socket that listens on every address."""
    if listening.family != socket.AF_INET6:
        return "127.0.0.1"
    only_ipv6 = listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return "::1" if only_ipv6 else "127.0.0.1"


def family_of(host: str) -> socket.AddressFamily:
    """The family in which to listen on this host, an address or a name of ours.

    Raises:
        OSError: it is neither.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0][0]


def why_out_of_reach(address: str, port: int) -> str:
    """What may keep this host from another one, as a sentence with what to do.

    Args:
        address: as the other host gave it, an address or a name.
        port: where it listens.
    """
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return (
            f"nobody here knows the name {address} ({error}): is there a headless Service that gives pods names? Or "
            "let nodes give their address: --rdzv-conf address=IP, in a pod the variable POD_IP"
        )
    at = sorted({f"[{where[0]}]:{port}" if ":" in str(where[0]) else f"{where[0]}:{port}" for *_, where in found})
    name = "" if len(found) == 1 and str(found[0][4][0]) == address else f"{address}, which is "
    return f"{name}{' and '.join(at)}: do NetworkPolicy and firewalls let the job's pods reach each other?"


def _listen(listening: socket.socket, everywhere: str, port: int, backlog: int) -> socket.socket:
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((everywhere, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening
