"""`set_closed` joins in order to close; a handler that another thread ends meanwhile leaves no Member behind."""

import threading
from typing import Any

import pytest

from kube_rendezvous.api import RendezvousClosedError
from kube_rendezvous.membership import member_writer
from unit.client.one_node_server import OneNodeServer
from unit.client.test_interrupted_calls import new_handler

LIMIT_SECONDS = 10.0


@pytest.mark.parametrize("end", ["shutdown", "leave"])
@pytest.mark.parametrize("carried_out_first", [True, False])
def test_what_is_made_after_the_end_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, end: str, carried_out_first: bool
) -> None:
    monkeypatch.setattr(member_writer, "UNTIL_CARRIED_OUT", (0.0, 0.001))
    connection = OneNodeServer()
    handler = new_handler(connection)
    handler.is_closed()
    posting, ended = threading.Event(), threading.Event()
    answer = connection.request

    def request(method: str, path: str, **options: Any) -> dict[str, Any]:
        if method != "POST":
            return answer(method, path, **options)
        made = answer(method, path, **options) if carried_out_first else None
        posting.set()
        assert ended.wait(LIMIT_SECONDS)
        return answer(method, path, **options) if made is None else made

    monkeypatch.setattr(connection, "request", request)
    raised: list[BaseException] = []

    def close() -> None:
        try:
            handler.set_closed()
        except RendezvousClosedError as error:
            raised.append(error)

    closing = threading.Thread(target=close)
    closing.start()
    assert posting.wait(LIMIT_SECONDS)
    getattr(handler, end)()
    ended.set()
    closing.join(LIMIT_SECONDS)
    assert len(raised) == 1
    assert connection.left_behind == []
    assert len(connection.made) == 1
