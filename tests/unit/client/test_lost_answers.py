"""A request that is carried out although its answer is lost: nobody falls silent, and nothing is there twice."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.session import Session
from unit.scripted_connection import Asked, ScriptedConnection, ScriptedStream
from unit.shell.objects import raw_rendezvous

LOST = ApiUnavailableError("POST", 0, "", "connection reset by peer")
LIMIT_SECONDS = 20.0
BEFORE_ANY_EVENT_SECONDS = 6.0
"""The scripted watch says nothing for ten."""


class LosesAnswers(ScriptedConnection):
    """To an API server behind a proxy that carries requests out and resets the connection."""

    def __init__(self) -> None:
        rendezvous = raw_rendezvous(1, heartbeatSeconds=1)
        listed = {"metadata": {"resourceVersion": "1"}, "items": [rendezvous]}
        super().__init__({("GET", "/rendezvous"): [listed]}, [ScriptedStream([], stays_open=True)])
        self.answers[("POST", "/rendezvousmembers")] = [self._carry_out]
        self.answers[("PATCH", "/rendezvousmembers")] = [self._beat]
        self.made: set[str] = set()
        self.beaten = threading.Event()

    def _carry_out(self, asked: Asked) -> dict[str, Any]:
        self.made.add(asked.body["metadata"]["name"])
        if self.beaten.is_set():
            return asked.body
        raise LOST

    def _beat(self, asked: Asked) -> dict[str, Any]:
        assert asked.path.rsplit("/", 1)[1] in self.made
        self.beaten.set()
        return {"metadata": {}}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def connection() -> LosesAnswers:
    """Loses the answer of each join until a heartbeat has come."""
    return LosesAnswers()


@pytest.fixture
def session(connection: LosesAnswers) -> Iterator[Session]:
    """Over that connection."""
    session = Session(connection, "ns", "run", Identity("node", "", "", "", "", "127.0.0.1"))  # type: ignore[arg-type]
    session.start()
    yield session
    session.stop()


def test_who_joins_beats_from_the_first_try_on_and_is_there_once(connection: LosesAnswers, session: Session) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    session.wait_for_list(deadline)
    session.join(29500, deadline)
    assert connection.beaten.is_set(), "its heartbeat did not wait for an answer that is lost again and again"
    assert connection.made == {session.outlook.me.name}
    assert not session.outlook.me.expelled


def test_whoever_waits_until_it_has_joined_or_joined_again_hears_it_although_no_event_comes(session: Session) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    session.wait_for_list(deadline)
    with ThreadPoolExecutor(1) as pool:
        joined = pool.submit(session.wait_until, lambda: bool(session.outlook.me.name), LIMIT_SECONDS)
        session.join(29500, deadline)
        assert joined.result(BEFORE_ANY_EVENT_SECONDS)
        again = pool.submit(session.wait_until, lambda: session.outlook.me.after_round == 1, LIMIT_SECONDS)
        session.rejoin(1, 29500, deadline)
        assert again.result(BEFORE_ANY_EVENT_SECONDS)
