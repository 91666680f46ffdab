"""The socket on which this node would serve the bootstrap store: bound and listening before anybody is told of it, so
that clients that come early simply queue in its backlog."""

import socket

from kube_rendezvous.every_address import listen_on_every_address

_BACKLOG = 4096


def listen_for_the_store() -> socket.socket:
    """Listen on a free port of all interfaces, over IPv4 and IPv6: whichever the others find behind our address."""
    return listen_on_every_address(_BACKLOG)


def port_of(listening: socket.socket) -> int:
    """The port it listens on."""
    return int(listening.getsockname()[1])
