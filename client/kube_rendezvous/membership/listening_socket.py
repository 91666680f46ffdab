"""The socket on which this node would serve the bootstrap store: bound and listening before anybody is told of it, so
that clients that come early simply queue in its backlog."""

import ipaddress
import socket

_BACKLOG = 4096


def listen_for(address: str) -> socket.socket:
    """Listen on a free port of all interfaces, in the address family of ``address``."""
    family = socket.AF_INET6 if _is_ipv6(address) else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def port_of(listening: socket.socket) -> int:
    """The port it listens on."""
    return int(listening.getsockname()[1])


def _is_ipv6(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).version == 6
    except ValueError:
        return False
