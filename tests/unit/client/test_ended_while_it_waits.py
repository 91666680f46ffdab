"""A node that ends while another thread of it waits for a round says all that it has to say at once."""

import threading
from typing import Any

import pytest

from kube_rendezvous.api import RendezvousClosedError
from unit.client.one_node_server import OneNodeServer
from unit.client.test_interrupted_calls import new_handler

LIMIT_SECONDS = 10.0


def test_what_the_waiting_thread_takes_back_does_not_overtake_the_request_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = OneNodeServer()
    handler = new_handler(connection)
    handler.next_rendezvous()
    ended = threading.Event()
    answer, patches = connection.request, list[dict[str, Any]]()

    def request(method: str, path: str, **options: Any) -> dict[str, Any]:
        spec = (options.get("body") or {}).get("spec", {})
        if method == "PATCH" and "afterRound" in spec:
            return {"metadata": {}}  # and no round follows
        if method == "PATCH" and spec.get("leaving"):
            patches.append(spec)
            if spec.get("closeRequested"):
                assert ended.wait(LIMIT_SECONDS), "the thread that waits comes back meanwhile"
        return answer(method, path, **options)

    monkeypatch.setattr(connection, "request", request)
    waits = threading.Event()

    def wait() -> None:
        try:
            waits.set()
            handler.next_rendezvous()
        except RendezvousClosedError:
            ended.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert waits.wait(LIMIT_SECONDS)
    session = handler._session
    assert session is not None
    assert session.wait_until(lambda: session.outlook.me.after_round == 1, LIMIT_SECONDS)
    session.outlook.end_waits()
    handler.shutdown()
    waiting.join(LIMIT_SECONDS)
    assert [bool(spec.get("closeRequested")) for spec in patches] == [True]
    assert connection.left_behind == []
