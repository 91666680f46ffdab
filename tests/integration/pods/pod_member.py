"""A real handler that takes itself for a process in a pod, driven from threads as an agent drives it."""

import threading
import time
from concurrent.futures import Future

from kube_rendezvous.api import RendezvousInfo, RendezvousParameters
from kube_rendezvous.cluster import Connection
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.session import Session
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only


class PodMember:
    """One handler, without torch's store.

    Args:
        connection: its own, or one that it shares.
        namespace, run: of the Rendezvous, which must be there.
        identity: who it is; given, because all members of a test share one environment.
    """

    def __init__(self, connection: Connection, namespace: str, run: str, identity: Identity) -> None:
        params = RendezvousParameters(
            "kubernetes", namespace, run, 1, 1, create="never", join_timeout=120, close_timeout=10
        )
        self.identity = identity
        self.connection = connection
        self.handler = KubernetesRendezvousHandler(read_settings(params), connection, open_address_only)
        self._session = Session(connection, namespace, run, identity)
        self.handler._identity, self.handler._session = identity, self._session
        self._threads: list[threading.Thread] = []
        self._started = False

    def join(self) -> "Future[RendezvousInfo]":
        """Call `next_rendezvous` in a thread."""
        future: Future[RendezvousInfo] = Future()
        start, self._started = not self._started, True

        def run() -> None:
            try:
                if start:
                    self._session.start()
                future.set_result(self.handler.next_rendezvous())
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, name=f"member-{self.identity.name_prefix}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    @property
    def name(self) -> str:
        """Name of its Member object; "" before it has joined."""
        return self._session.outlook.me.name

    @property
    def told(self) -> bool:
        """Whether its agent would stop its workers now."""
        return self.handler.num_nodes_waiting() > 0

    def wait_until_told(self, seconds: float) -> bool:
        """Wait, without asking again and again, until `told`; return whether it is."""
        return self._session.wait_until(lambda: self._session.outlook.nodes_waiting() > 0, seconds)

    def wait_until_joined(self, seconds: float) -> bool:
        """Wait until it has a Member object."""
        return self._session.wait_until(lambda: bool(self._session.outlook.me.name), seconds)

    def leave(self) -> None:
        """Say goodbye, as at the end of its process, and hear nothing more."""
        if self._session.outlook.me.name:
            self._session.say_goodbye(close_reason=None, leaving=True, deadline=time.monotonic() + 5.0)
        self.fall_silent()

    def fall_silent(self) -> None:
        """As a killed process: it sends nothing more and hears nothing more."""
        if self._started:
            self._session.stop()

    def threads_end(self, seconds: float) -> bool:
        """Whether every `join` has come back in time."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)
