"""Ports for servers that must come back on the same port."""

import random
import socket

from rendezvous_local.errors import LocalControlPlaneError

# Below the range from which Linux gives ports to outgoing connections (32768 and up): while the API server is away in
# an outage test nobody takes its port, and no client that keeps dialling that port can end up connected to itself.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalControlPlaneError(
        f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}: what listens there?"
    )
