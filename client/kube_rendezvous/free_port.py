"""Finding a free TCP port, in the way of PyTorch's ``torch.distributed.elastic.utils.distributed``.

The rule comes from PyTorch: Copyright (c) Facebook, Inc. and its affiliates, BSD-3-Clause.
"""

import logging
import socket

_log = logging.getLogger(__name__)


def get_free_port() -> int:
    """Return a TCP port that is free on all local addresses.

    Nothing reserves it: another process may take it first.

    Raises:
        RuntimeError: Neither IPv6 nor IPv4 gives a socket.
    """
    with _bound_to_every_address() as bound:
        port: int = bound.getsockname()[1]
    return port


def _bound_to_every_address() -> socket.socket:
    # The wildcard address of both families is what a TCPStore server binds: a port that is free on loopback
    # may be taken on another interface. Not listening, because it would accept clients that it never serves.
    for family, every_address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            candidate = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            _log.warning("No %s socket can be created: %s", family.name, error)
            continue
        try:
            if family == socket.AF_INET6:
                candidate.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            candidate.bind((every_address, 0))
        except OSError as error:
            candidate.close()
            _log.warning("No %s socket can be bound to %s: %s", family.name, every_address, error)
        else:
            return candidate
    raise RuntimeError("Failed to create a socket")
