"""`KubernetesRendezvousHandler`: the rendezvous API on top of a Rendezvous object. Knows nothing of torch.

One `next_rendezvous`: find a place (`settling`), take it, open its store. Every other answer comes from memory.
"""

import logging
import os
import socket
import threading
import time

from kube_rendezvous.api import (
    RendezvousClosedError,
    RendezvousConnectionError,
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    Store,
)
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.credentials import CredentialsError
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.every_address import why_out_of_reach
from kube_rendezvous.membership.farewell import Farewell
from kube_rendezvous.membership.identity import Identity, identify
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.membership.listening_socket import listen_for_the_store, port_of
from kube_rendezvous.membership.plain_errors import plain_errors
from kube_rendezvous.membership.session import Session
from kube_rendezvous.membership.standing import ClosedForUs, Place, holds_a_place, is_superseded
from kube_rendezvous.resources import Rendezvous
from kube_rendezvous.settings import HandlerSettings, read_settings
from kube_rendezvous.settling import Settling
from kube_rendezvous.signal_proof import new_lock
from kube_rendezvous.store_choice import AddressOnlyStore, StoreOpener, default_store_opener

BACKEND = "kubernetes"

_log = logging.getLogger(__name__)

_GOODBYE_SECONDS = 5.0


def create_handler(
    params: RendezvousParameters, open_store: StoreOpener | None = None
) -> "KubernetesRendezvousHandler":
    """Create a handler; connects to nothing yet but reads the credentials.

    Args:
        params: see `kube_rendezvous.settings`.
        open_store: default: torch's TCPStore if torch is installed, else a store that has an address and nothing more.

    Raises:
        ValueError: a setting cannot be used.
        RendezvousConnectionError: there are no usable credentials.
    """
    if open_store is None:
        open_store = default_store_opener()
    settings = read_settings(params)
    try:
        connection = Connection.shared(settings.kubeconfig, settings.context)
    except CredentialsError as error:
        raise RendezvousConnectionError(str(error)) from error
    return KubernetesRendezvousHandler(settings, connection, open_store)


class KubernetesRendezvousHandler(RendezvousHandler):
    """See `kube_rendezvous.api.RendezvousHandler`, whose contract this follows.

    Args:
        settings: what the user asked for.
        connection: to the API server; may be shared.
        open_store: how the bootstrap store is made.
    """

    def __init__(self, settings: HandlerSettings, connection: Connection, open_store: StoreOpener) -> None:
        self._settings = settings
        self._namespace = settings.namespace or connection.namespace
        self._connection = connection
        self._open_store = open_store
        self._identity: Identity | None = None
        self._session: Session | None = None
        self._listening: socket.socket | None = None
        self._store: Store | None = None
        self._ended = False
        self._goodbye_of = ""  # the Member that says goodbye, by the thread that ends all
        self._lock = new_lock()
        self._joining = new_lock()
        self._farewell: Farewell | None = None
        self._beginning: threading.Thread | None = None  # who starts the session

    def get_backend(self) -> str:
        """See base class."""
        return BACKEND

    def get_run_id(self) -> str:
        """See base class."""
        return self._settings.name

    @property
    def use_agent_store(self) -> bool:
        """See base class; `TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1` turns it off, as in torch."""
        return os.getenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "0") != "1"

    def next_rendezvous(self) -> RendezvousInfo:
        """See base class."""
        if self._ended:
            raise self._was_shut_down()
        deadline = time.monotonic() + self._settings.join_timeout
        with self._joining, plain_errors(self._what, self._namespace):
            try:
                return self._find_round(self._begin(deadline, joins=True), deadline)
            except ApiFailureError:
                if self._is_over():  # by another thread, while this one tried again what did not work
                    raise self._was_shut_down() from None
                raise
            finally:
                if self._session is not None:
                    over = self._is_over()  # meanwhile: what this join has made and opened since is there still
                    self._session.withdraw(tried=True, present=over, but=self._goodbye_of)
                    if over:
                        self._release(self._session)

    def is_closed(self) -> bool:
        """See base class. A rendezvous that the next join would open again is not closed."""
        if self._ended:
            return True
        with plain_errors(self._what, self._namespace):
            session = self._begin(time.monotonic() + self._settings.close_timeout)
        return isinstance(session.outlook.standing(), ClosedForUs)

    def set_closed(self) -> None:
        """See base class. Waits until the operator has closed it, `close_timeout` at the most."""
        if self._ended:
            return
        deadline = time.monotonic() + self._settings.close_timeout
        with plain_errors(self._what, self._namespace):
            session = self._begin(deadline)
            settling = self._settling(session, self._settings.close_timeout)
            try:
                settling.member(deadline)
                if not isinstance(session.outlook.standing(), ClosedForUs):
                    session.say_goodbye(close_reason="set_closed() was called", leaving=False, deadline=deadline)
            finally:
                if self._is_over():  # meanwhile, by another thread, which has not waited for this one to join
                    session.withdraw(tried=True, present=True, but=self._goodbye_of)
        if not self._wait_for_closed(session, deadline):
            settling.time_out("it was asked to close")

    def num_nodes_waiting(self) -> int:
        """See base class. Above 0 also when a member of our round is lost: that is how survivors are told."""
        session = self._session
        return 0 if session is None else session.outlook.nodes_waiting()

    @property
    def namespace(self) -> str:
        """Of the Rendezvous."""
        return self._namespace

    @property
    def rendezvous(self) -> Rendezvous | None:
        """The newest version seen; None: there is none, or nothing was seen yet."""
        session = self._session
        return None if session is None else session.outlook.rendezvous

    def interruption(self) -> Interruption | None:
        """Why this node must stop what it runs and join again; None: it need not. From memory."""
        session = self._session
        return None if session is None else session.outlook.interruption()

    def wait_for_interruption(self, seconds: float) -> Interruption | None:
        """As `interruption`, but waits for one: `seconds` at the most, and until this node leaves or steps aside."""
        session = self._session
        if session is None or self._ended:
            return None
        session.wait_until(lambda: session.outlook.nodes_waiting() > 0 or not self.holds_a_round, seconds)
        return session.outlook.interruption()

    @property
    def holds_a_round(self) -> bool:
        """Whether this node has taken a place and has not stepped aside since. From memory."""
        session = self._session
        return session is not None and session.outlook.me.held_round > 0

    def shutdown(self) -> bool:
        """See base class: leaves, and closes the rendezvous as torch does. Safe to call twice.

        One that has no place in the newest round only leaves: a spare that gives up, or a node whose join timed out,
        must not end a run that goes on without it.
        """
        return self._end(self._settings.close_timeout, may_close=True)

    def leave(self) -> bool:
        """Leave without closing: the others form a round without this node. Safe to call twice, and from any thread.

        A `next_rendezvous` that another thread waits in raises `RendezvousClosedError`.

        Returns:
            Whether the API server was told; if not, the operator finds out when the heartbeat is missed.
        """
        return self._end(min(_GOODBYE_SECONDS, self._settings.close_timeout), may_close=False)

    def step_aside(self) -> bool:
        """Give up the place in the present round and stay: the next `next_rendezvous` joins as a new incarnation.

        Returns:
            Whether the API server was told; if not, the operator hears of it when this node joins again.
        """
        session = self._session
        if session is None or self._ended:
            return True
        try:
            session.step_aside(time.monotonic() + _GOODBYE_SECONDS)
            return True
        except ApiFailureError as failure:
            _log.warning(
                "%s: could not say that we step aside: %s", self._what, explain_failure(failure, self._namespace)
            )
            return False

    def _end(self, seconds: float, *, may_close: bool) -> bool:
        if self._ended:
            return True
        self._ended = True
        session = self._session
        if session is None:
            return True
        deadline = time.monotonic() + seconds
        if not may_close:
            session.outlook.end_waits()
            # A join that is under way must come to its end first, or its Member would be left behind.
            if self._joining.acquire(timeout=seconds):
                self._joining.release()
        try:
            rendezvous, me = session.outlook.rendezvous, session.outlook.me
            if me.name and rendezvous is not None and not me.expelled:
                reason = f"shut down after round {me.held_round}"
                closes = may_close and holds_a_place(rendezvous, me)
                self._goodbye_of = me.name
                session.say_goodbye(close_reason=reason if closes else None, leaving=True, deadline=deadline)
                if closes:
                    self._wait_for_closed(session, min(deadline, time.monotonic() + _GOODBYE_SECONDS))
            if self._joining.acquire(blocking=False):  # or else whoever joins takes back what it makes
                try:
                    session.withdraw(tried=True, present=session.outlook.rendezvous is not None)
                finally:
                    self._joining.release()
            told = True
        except ApiFailureError as failure:
            _log.warning("%s: could not say that we leave: %s", self._what, explain_failure(failure, self._namespace))
            told = False
        self._release(session)  # not when a signal's handler raises before: the farewell has it still to say
        return told

    def _is_over(self) -> bool:
        """Whether this handler, or its session beside it, has ended."""
        return self._ended or (self._session is not None and self._session.outlook.over)

    def _was_shut_down(self) -> RendezvousClosedError:
        return RendezvousClosedError(f"{self._what}: this handler was shut down")

    @property
    def _what(self) -> str:
        return f"Rendezvous {self._namespace}/{self._settings.name}"

    def _begin(self, deadline: float, *, joins: bool = False) -> Session:
        """The session, started and informed. ``joins``: with its first request, if it is to be started."""
        with self._lock:
            if self._session is None:
                self._identity = identify(
                    self._connection.host, address=self._settings.address, slot=self._settings.slot
                )
                session = Session(
                    self._connection,
                    self._namespace,
                    self._settings.name,
                    self._identity,
                    watches_neighbours=self._settings.watch_neighbours,
                )
                self._farewell = Farewell(self, session)
                self._session = session
            session = self._session
            # Whoever begins does so to the end, unless a signal's handler raises: then its thread begins anew.
            begins = not session.started and self._beginning in (None, threading.current_thread())
            if begins:
                self._beginning = threading.current_thread()
        if begins and joins:
            session.start_by_joining(self._listen, deadline, max_nodes=self._settings.max_nodes)
        elif begins:
            session.start()
        try:
            session.wait_for_list(deadline)
        except ApiFailureError:
            if self._is_over():  # by another thread, while this one was waiting
                raise self._was_shut_down() from None
            raise
        return session

    def _find_round(self, session: Session, deadline: float) -> RendezvousInfo:
        settling = self._settling(session, self._settings.join_timeout)
        while True:
            place = settling.place(deadline)
            session.took(place)
            # A place was found in time, perhaps after long standby: what follows is a wait of its own.
            deadline = time.monotonic() + self._settings.join_timeout
            listening = None
            if place.rank == 0:
                # Given away: the next re-join needs another socket.
                listening, self._listening = self._listening, None

            def given_up(place: Place = place, deadline: float = deadline) -> bool:
                return time.monotonic() >= deadline or is_superseded(session.outlook.rendezvous, place)

            store = self._open_store(place, listening, timeout=self._settings.read_timeout, given_up=given_up)
            if store is not None:
                return self._take(place, store)
            if not is_superseded(session.outlook.rendezvous, place):
                raise RendezvousConnectionError(
                    f"{self._what}: the bootstrap store of round {place.round}, served by {place.store.member}, could "
                    f"not be reached: {why_out_of_reach(place.store.address, place.store.port)}"
                )
            _log.info("%s: round %d is replaced before its store was reached", self._what, place.round)

    def _take(self, place: Place, store: Store) -> RendezvousInfo:
        self._store = store
        assert self._identity is not None
        _log.info("%s: round %d, rank %d of %d", self._what, place.round, place.rank, place.world_size)
        if self.use_agent_store or isinstance(store, AddressOnlyStore):
            info = RendezvousStoreInfo(place.store.address, place.store.port)
        else:
            info = RendezvousStoreInfo.build(place.rank, store, local_addr=self._identity.address)
        return RendezvousInfo(store, place.rank, place.world_size, info)

    def _settling(self, session: Session, seconds: float) -> Settling:
        return Settling(session, self._settings, self._namespace, self._listen, self._is_over, seconds)

    def _listen(self) -> int:
        if self._listening is None:
            self._listening = listen_for_the_store()
        return port_of(self._listening)

    def _wait_for_closed(self, session: Session, deadline: float) -> bool:
        def closed() -> bool:
            rendezvous = session.outlook.rendezvous
            return rendezvous is None or rendezvous.status.closed is not None

        return session.wait_until(closed, deadline - time.monotonic())

    def _release(self, session: Session) -> None:
        session.stop()
        if self._farewell is not None:
            self._farewell.cancel()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        self._store = None
