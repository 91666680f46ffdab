"""torch's API may be called from several threads: whichever of them joins, this node has one Member."""

import threading
from typing import Any

import pytest

from kube_rendezvous.api import RendezvousClosedError
from kube_rendezvous.settling import Settling
from unit.client.one_node_server import OneNodeServer
from unit.client.test_interrupted_calls import new_handler

LIMIT_SECONDS = 10.0


def test_who_closes_and_who_joins_at_once_join_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = OneNodeServer()
    handler = new_handler(connection)
    posting, both_want_to = threading.Event(), threading.Event()
    answer, act = connection.request, Settling._join
    joining: list[str] = []

    def request(method: str, path: str, **options: Any) -> dict[str, Any]:
        if method == "POST":
            posting.set()
            assert both_want_to.wait(LIMIT_SECONDS)
        return answer(method, path, **options)

    def join(settling: Settling, deadline: float) -> None:
        joining.append(threading.current_thread().name)
        if len(joining) == 2:
            both_want_to.set()
        act(settling, deadline)

    monkeypatch.setattr(connection, "request", request)
    monkeypatch.setattr(Settling, "_join", join)

    def find_a_round() -> None:
        try:
            handler.next_rendezvous()
        except RendezvousClosedError:
            """The other was faster."""

    closing, finding = (threading.Thread(target=call) for call in (handler.set_closed, find_a_round))
    closing.start()
    assert posting.wait(LIMIT_SECONDS)
    finding.start()
    for thread in (closing, finding):
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive()
    assert len(joining) == 2
    assert len(connection.made) == 1
    handler.shutdown()
    assert connection.left_behind == []
