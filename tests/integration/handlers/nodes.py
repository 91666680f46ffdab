"""Nodes: real handlers with a connection each, driven from threads as agents drive them."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from kube_rendezvous.api import RendezvousInfo, RendezvousParameters, Store
from kube_rendezvous.cluster import Connection
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.membership.standing import Place
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only

MEET_SECONDS = 30.0


class Request(NamedTuple):
    """One request to the API server; status 0: no answer."""

    method: str
    status: int
    path: str


class Node:
    """One handler, as `torchrun` on one node would hold it.

    Args:
        kubeconfig: the cluster, and who the node is there.
        namespace: where its Rendezvous is; "": the kubeconfig's.
        run_id: name of the Rendezvous.
        min_nodes, max_nodes: `--nnodes`.
        config: `--rdzv-conf`.
    """

    def __init__(
        self, kubeconfig: Path, namespace: str, run_id: str, min_nodes: int, max_nodes: int, **config: Any
    ) -> None:
        self.requests: list[Request] = []
        requests = self.requests  # not self: a handler that nobody holds any more must be collected
        self.places: list[Place] = []
        self.given_up_on_arrival: list[bool] = []
        self.slot = config.get("slot")
        self.connection = Connection.open(str(kubeconfig))
        self.connection.on_request = lambda *request: requests.append(Request(*request))
        settings = read_settings(RendezvousParameters("kubernetes", namespace, run_id, min_nodes, max_nodes, **config))
        self.handler = KubernetesRendezvousHandler(settings, self.connection, self._open_store)
        self.over = threading.Event()  # set at the end of the test: who drives the node by itself is to stop
        self._threads: list[threading.Thread] = []

    def join(self) -> "Future[RendezvousInfo]":
        """Call `next_rendezvous` in a thread."""
        return self.begin(self.handler.next_rendezvous)

    def begin(self, call: Callable[[], Any]) -> "Future[Any]":
        """Call something in a thread."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, name=f"node-{self.slot}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    @property
    def told(self) -> bool:
        """Whether its agent would stop its workers now."""
        return self.handler.num_nodes_waiting() > 0

    @property
    def round(self) -> int:
        """The round whose place it took last; 0: none."""
        return self.places[-1].round if self.places else 0

    def fall_silent(self) -> None:
        """As a frozen process: it sends nothing more and hears nothing more."""
        session = self.handler._session
        if session is not None:
            session.stop()

    def wait_for_threads(self, seconds: float) -> bool:
        """Whether every call it was asked to make has come back in time."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _open_store(
        self, place: Place, listening: socket.socket | None, *, timeout: float, given_up: Callable[[], bool]
    ) -> Store | None:
        self.given_up_on_arrival.append(given_up())
        self.places.append(place)
        return open_address_only(place, listening, timeout=timeout, given_up=given_up)


def meet(*nodes: Node, seconds: float = MEET_SECONDS) -> list[RendezvousInfo]:
    """Let these nodes join, and return what each was told; they must all be told of the same round."""
    return await_round(nodes, [node.join() for node in nodes], seconds)


def await_round(
    nodes: Sequence[Node], joins: Sequence["Future[RendezvousInfo]"], seconds: float = MEET_SECONDS
) -> list[RendezvousInfo]:
    """Wait for these nodes, whose `join` was called; they must be told of one round in which they are all."""
    infos = [join.result(seconds) for join in joins]
    assert len({node.round for node in nodes}) == 1, [node.places for node in nodes]
    assert sorted(info.rank for info in infos) == list(range(len(nodes)))
    assert {info.world_size for info in infos} == {len(nodes)}
    assert len({(node.places[-1].store.address, node.places[-1].store.port) for node in nodes}) == 1
    return infos
