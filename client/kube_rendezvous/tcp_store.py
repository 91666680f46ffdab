"""The bootstrap store of a round as torch's TCPStore: served by rank 0, its keys private to the round."""

import functools
import logging
import math
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import torch.distributed as dist

from kube_rendezvous.api import Store
from kube_rendezvous.every_address import loopback_of
from kube_rendezvous.membership.standing import Place

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_FIRST_TRY_SECONDS = 1.5
_LONGEST_TRY_SECONDS = 10.0
LONGEST_CONNECT_SECONDS = 3 * _LONGEST_TRY_SECONDS
"""For which torch's client tries at the most, whatever becomes of the round (2.15.0: twice, with a pause between)."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_WARN_SECONDS = 10.0


def open_tcp_store(
    place: Place, listening: socket.socket | None, *, timeout: float, given_up: Callable[[], bool]
) -> Store | None:
    """A `StoreOpener`: rank 0 serves a fresh TCPStore on its listening socket, the others connect to it."""
    store = _serve(place, listening) if listening is not None else _connect(place, given_up)
    if store is None:
        return None
    store.set_timeout(timedelta(seconds=timeout))
    prefix = f"kube-rendezvous/{place.rendezvous_uid}/{place.round}"
    return cast(Store, dist.PrefixStore(prefix, store))


def _serve(place: Place, listening: socket.socket) -> dist.TCPStore:
    # The server reaches itself by loopback: its address may be one that only others can use.
    itself = loopback_of(listening)
    serve = functools.partial(
        dist.TCPStore,
        host_name=itself,
        port=place.store.port,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )
    try:
        return serve()
    except NotImplementedError:  # torch 2.6: its server on libuv takes no socket, the older one does
        return serve(use_libuv=False)


def _connect(place: Place, given_up: Callable[[], bool]) -> dist.TCPStore | None:
    """Connect in tries of limited length: a store whose host has just died must not hold us.

    The port is known to be open then, and only a host that is busy needs a longer try than the first.
    """
    seconds = _FIRST_TRY_SECONDS
    while _somebody_listens(place, given_up):
        try:
            return dist.TCPStore(
                host_name=place.store.address,
                port=place.store.port,
                is_master=False,
                wait_for_workers=False,
                timeout=timedelta(seconds=seconds),
            )
        except (dist.DistError, RuntimeError):
            seconds = min(_LONGEST_TRY_SECONDS, seconds * 2)
            time.sleep(_FIRST_PAUSE)
    return None


def _somebody_listens(place: Place, given_up: Callable[[], bool]) -> bool:
    """Wait for the store's port to be open; False: the round is given up first.

    Torch's client is not for waiting: nothing interrupts it, it comes back after up to three times its limit, and a
    thread that comes back from it while Python ends aborts the process.
    """
    pause, warn_after = _FIRST_PAUSE, time.monotonic() + _WARN_SECONDS
    while not given_up():
        try:
            socket.create_connection((place.store.address, place.store.port), timeout=_LOOK_SECONDS).close()
            return True
        except OSError as error:
            if time.monotonic() >= warn_after:
                warn_after = math.inf
                _log.warning(
                    "round %d waits for its bootstrap store at %s, port %d: %s. Is that host alive, and does a "
                    "NetworkPolicy let members connect to each other?",
                    place.round,
                    place.store.address,
                    place.store.port,
                    error,
                )
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)
    return False
