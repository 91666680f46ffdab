"""One node's part in a rendezvous, for everything that is not torchrun: rounds, and the news that one is over.

A thin layer over the handler that torchrun uses too. It keeps the socket that this node has announced until the trainer
is about to start: the trainer of rank 0 binds that very port, and nobody else can have taken it before.
"""

import socket
from collections.abc import Callable

from kube_rendezvous.api import RendezvousParameters, RendezvousStateError, Store
from kube_rendezvous.handler import create_handler
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.membership.standing import Place
from kube_rendezvous.signal_proof import Flag
from kube_rendezvous.standing_round import StandingRound
from kube_rendezvous.store_choice import open_address_only

_WAIT_SECONDS = 86400.0


class Participation:
    """This node in one rendezvous. Connects to nothing before the first `next_round`.

    Args:
        params: see `kube_rendezvous.settings`.

    Raises:
        ValueError: a setting cannot be used.
        RendezvousConnectionError: there are no usable credentials.
    """

    def __init__(self, params: RendezvousParameters) -> None:
        self._handler = create_handler(params, self._open_store)
        self._place: Place | None = None
        self._socket: socket.socket | None = None
        self._ended = Flag()

    @property
    def namespace(self) -> str:
        """Of the Rendezvous."""
        return self._handler.namespace

    @property
    def name(self) -> str:
        """Of the Rendezvous."""
        return self._handler.get_run_id()

    def next_round(self) -> StandingRound:
        """Join, or join again, and wait for a round that includes this node.

        To call it says that this node runs nothing any more and holds no older round: the others are told.

        Raises:
            See `kube_rendezvous.api.RendezvousHandler.next_rendezvous`.
        """
        self.release_port()
        self._handler.next_rendezvous()
        place, newest = self._place, self._handler.rendezvous
        assert place is not None
        known = newest is not None and newest.uid == place.rendezvous_uid and newest.status.round == place.round
        try:
            return StandingRound(
                namespace=self.namespace,
                name=self.name,
                number=place.round,
                rank=place.rank,
                world_size=place.world_size,
                master_addr=place.store.address,
                master_port=place.store.port,
                members=newest.status.ranks if known and newest is not None else (),
                rendezvous_uid=place.rendezvous_uid,
            )
        except ValueError as error:
            raise RendezvousStateError(f"Rendezvous {self.namespace}/{self.name}: {error}") from error

    def release_port(self) -> None:
        """Rank 0: free the announced port, so that the trainer can bind it. For all others there is nothing to do."""
        kept, self._socket = self._socket, None
        if kept is not None:
            kept.close()

    def take_socket(self) -> socket.socket | None:
        """Rank 0: the announced socket itself, bound and listening, to hand on; the caller's from now on. Else None."""
        kept, self._socket = self._socket, None
        return kept

    def interruption(self) -> Interruption | None:
        """Why this node must stop what it runs; None: it need not. From memory: ask as often as you like."""
        return self._handler.interruption()

    def wait_for_interruption(self, seconds: float | None = None) -> Interruption | None:
        """Wait until this node must stop what it runs. Woken by the watch; asks nobody.

        Args:
            seconds: at the most; None: as long as it takes.

        Returns:
            Why; None: the time is over, or `leave`, `finish` or `step_aside` was called.
        """
        while not self._ended.is_set():
            told = self._handler.wait_for_interruption(_WAIT_SECONDS if seconds is None else seconds)
            if told is not None or seconds is not None or not self._handler.holds_a_round:
                return told
        return None

    def step_aside(self) -> bool:
        """Give up this node's place and stay: the others form a round without it, the next `next_round` joins anew.

        Returns:
            Whether the API server was told; if not, the operator finds out when this node joins again.
        """
        self.release_port()
        return self._handler.step_aside()

    def finish(self) -> bool:
        """The work is done: leave, and close as torchrun does. The others finish what they run, and that is all."""
        return self._end(self._handler.shutdown)

    def leave(self) -> bool:
        """Leave without closing: the others form a round without this node. From any thread, at any time."""
        return self._end(self._handler.leave)

    def _end(self, how: Callable[[], bool]) -> bool:
        self._ended.set()
        done = how()
        self.release_port()
        return done

    def _open_store(
        self, place: Place, listening: socket.socket | None, *, timeout: float, given_up: Callable[[], bool]
    ) -> Store | None:
        self._place, self._socket = place, listening
        return open_address_only(place, None, timeout=timeout, given_up=given_up)
