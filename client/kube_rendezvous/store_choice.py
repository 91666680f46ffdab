"""Which bootstrap store a handler uses when its caller does not say."""

import importlib.util
import socket
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, cast

from kube_rendezvous.api import RendezvousStateError, Store
from kube_rendezvous.membership.standing import Place


class StoreOpener(Protocol):
    """Opens the bootstrap store of a round."""

    def __call__(
        self,
        place: Place,
        listening: socket.socket | None,
        *,
        timeout: float,
        given_up: Callable[[], bool],
    ) -> Store | None:
        """Open the store.

        Args:
            place: whose `store` says where it listens.
            listening: for rank 0, which serves the store: the socket on which its clients already queue. The
                opener owns it from now on. None for all others.
            timeout: seconds for one operation on the store later on.
            given_up: true when the round is not worth waiting for any more; ask it while waiting.

        Returns:
            The store, its keys private to this round; None if `given_up` became true first.
        """


def default_store_opener() -> StoreOpener:
    """torch's TCPStore if torch is installed; else the address alone."""
    if importlib.util.find_spec("torch") is None:
        return open_address_only
    from kube_rendezvous.tcp_store import open_tcp_store

    return open_tcp_store


class AddressOnlyStore:
    """Stands where a store would: its address is in `RendezvousInfo.bootstrap_store_info`, its keys nowhere."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RendezvousStateError(
            f"Store.{name} needs torch, which is not installed here; rank, world size and address are all there is"
        )


def open_address_only(
    place: Place, listening: socket.socket | None, *, timeout: float, given_up: Callable[[], bool]
) -> Store | None:
    """A `StoreOpener` for trainers that bring their own store: frees the port, so that rank 0 can bind it."""
    if listening is not None:
        listening.close()
    store: Any = AddressOnlyStore()
    return cast(Store, store)
