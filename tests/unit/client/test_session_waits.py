"""Nobody waits for the first list of a session that was ended meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from kube_rendezvous.api import RendezvousClosedError, RendezvousParameters
from kube_rendezvous.cluster import ApiUnavailableError, Connection
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.session import Session
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only

LONG = 60.0
SOON = 20.0


class MuteConnection:
    """To an API server that never answers, until the connection is closed."""

    host = "https://127.0.0.1:6443"
    namespace = "default"

    def __init__(self) -> None:
        self.asked, self.closed = threading.Event(), threading.Event()

    def request(self, *_: Any, **__: Any) -> Any:
        self.asked.set()
        self.closed.wait(LONG)
        raise ApiUnavailableError("GET /", 0, "", "no answer")

    def close(self) -> None:
        self.closed.set()


class DeafConnection(MuteConnection):
    """To an API server that shows the Rendezvous, and then answers no write."""

    def request(self, method: str, *_: Any, **__: Any) -> Any:
        if method == "GET":
            meta = {"namespace": "default", "name": "run", "uid": "u", "resourceVersion": "1"}
            item = {"kind": "Rendezvous", "metadata": meta, "spec": {"minNodes": 1}}
            return {"kind": "RendezvousList", "metadata": {"resourceVersion": "1"}, "items": [item]}
        self.asked.set()
        raise ApiUnavailableError("POST /", 0, "", "no answer")

    def stream(self, *_: Any, **__: Any) -> Any:
        raise ApiUnavailableError("GET /", 0, "", "no answer")


class QuietConnection(DeafConnection):
    """To an API server where nothing happens any more once somebody has joined."""

    def request(self, method: str, *arguments: Any, **fields: Any) -> Any:
        if method == "GET":
            return super().request(method, *arguments, **fields)
        self.asked.set()
        return {}


@pytest.mark.parametrize("end", [Session.stop, lambda session: session.outlook.end_waits()])
def test_a_wait_for_the_first_list_comes_back_when_the_session_ends(end: Callable[[Session], None]) -> None:
    session = Session(
        cast(Connection, MuteConnection()), "default", "run", Identity("node", "", "", "", "", "127.0.0.1")
    )
    ending = threading.Timer(0.1, end, [session])
    ending.start()
    began = time.monotonic()
    with pytest.raises(ApiUnavailableError):
        session.wait_for_list(began + LONG)
    assert time.monotonic() - began < SOON


def joining(connection: MuteConnection) -> tuple[KubernetesRendezvousHandler, threading.Thread, list[BaseException]]:
    """A handler, the thread in which it joins, and what that raises."""
    params = RendezvousParameters(
        "kubernetes", "", "run", 1, 1, join_timeout=LONG, close_timeout=5, address="127.0.0.1"
    )
    handler = KubernetesRendezvousHandler(read_settings(params), cast(Connection, connection), open_address_only)
    raised: list[BaseException] = []

    def join() -> None:
        try:
            handler.next_rendezvous()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    assert connection.asked.wait(SOON)
    return handler, thread, raised


@pytest.mark.parametrize("how", ["leave", "shutdown"])
@pytest.mark.parametrize("connection_to", [MuteConnection, DeafConnection, QuietConnection])
def test_whoever_joins_is_told_that_the_handler_has_ended_whatever_it_waits_for(
    how: str, connection_to: type[MuteConnection]
) -> None:
    handler, thread, raised = joining(connection_to())
    getattr(handler, how)()
    thread.join(SOON)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [RendezvousClosedError]


def test_whoever_waits_for_a_round_does_not_go_on_when_the_process_has_said_goodbye() -> None:
    """As the farewell at the end of a process does, beside the handler: the wait used to turn into a busy loop."""
    handler, thread, raised = joining(QuietConnection())
    assert handler._session is not None
    handler._session.stop()
    thread.join(SOON)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [RendezvousClosedError]
