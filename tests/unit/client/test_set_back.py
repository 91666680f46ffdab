"""What we write is younger than all that the watch told before; where it is not, the storage was set back."""

import time
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.cluster.set_back import StorageSeen, is_older
from unit.client.one_node_server import OneNodeServer
from unit.client.test_interrupted_calls import new_handler


def written(version: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}}


@pytest.mark.parametrize(
    ("answer", "told", "older"),
    [
        pytest.param(written("9"), "10", True, id="older"),
        pytest.param(written("11"), "10", False, id="younger"),
        pytest.param(written("10"), "10", False, id="the watch was as fast as the answer"),
        pytest.param(written("9"), None, False, id="the watch has told nothing yet"),
        pytest.param(written("a9"), "b10", False, id="no numbers"),
        pytest.param(written(None), "10", False, id="an answer without a version"),
        pytest.param({}, "10", False, id="an answer without anything"),
    ],
)
def test_is_older(answer: dict[str, Any], told: str | None, older: bool) -> None:
    assert is_older(answer, told) is older


def test_what_the_watch_tells_while_a_write_is_under_way_says_nothing_about_it() -> None:
    told, found = ["10"], list[bool]()
    look_at = StorageSeen(lambda: (told[0], 0.0), lambda: found.append(True)).before()
    told[0] = "12"
    look_at(written("11"))
    assert not found


def own(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def test_what_is_older_than_our_own_write_before_it_is_said_once_whatever_the_watch_told() -> None:
    found: list[bool] = []
    seen = StorageSeen(lambda: ("3", 0.0), lambda: found.append(True))
    seen.before()(own("a", "100"))
    two_at_once = seen.before(), seen.before()
    two_at_once[0](own("a", "51"))
    assert len(found) == 1
    two_at_once[1](own("a", "50"))
    seen.before()(own("a", "52"))
    assert len(found) == 1
    seen.before()(own("a", "7"))
    assert len(found) == 2


def test_writes_that_are_answered_out_of_order_or_are_of_other_members_say_nothing() -> None:
    found: list[bool] = []
    seen = StorageSeen(lambda: ("3", 0.0), lambda: found.append(True))
    seen.before()(own("a", "10"))
    earlier, later = seen.before(), seen.before()
    later(own("a", "12"))
    earlier(own("a", "11"))
    seen.before()(own("b", "13"))
    seen.before()(own("a", "12"))  # as it was
    assert not found


def test_it_is_said_once_until_the_watch_has_begun_anew() -> None:
    told, found = ["10"], list[bool]()
    listed = [0.0]
    seen = StorageSeen(lambda: (told[0], listed[0]), lambda: found.append(True))
    for version in ("5", "6"):
        seen.before()(written(version))
    assert len(found) == 1
    told[0] = "7"
    seen.before()(written("8"))
    assert len(found) == 1
    seen.before()(written("3"))
    assert len(found) == 2
    listed[0] = 1.0  # anew, and by an API server that was not restarted yet
    seen.before()(written("3"))
    assert len(found) == 3


class Remembers(OneNodeServer):
    """Stores what a Member says, until it is set back."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Any] = {}
        self.said: list[dict[str, Any]] = []

    def request(self, method: str, path: str, *, body: Any = None, **how: Any) -> dict[str, Any]:
        answer = super().request(method, path, body=body, **how)
        if method == "POST":
            self.stored = dict(body["spec"])
        elif method == "PATCH":
            self.said.append(body["spec"])
            self.stored |= body["spec"]
            return {"metadata": {"name": path.rsplit("/", 1)[1]}, "spec": dict(self.stored)}
        return answer


def test_who_does_not_know_yet_what_it_belongs_to_does_not_say_it() -> None:
    connection = Remembers()
    handler = new_handler(connection)
    handler.next_rendezvous()
    session = handler._session
    assert session is not None
    session._renew(session.outlook.me.name, {}, 10.0)
    del connection.stored["rendezvousUID"]
    session.outlook.become(replace(session.outlook.me, rendezvous_uid=""))  # as after the POST that came first
    for _ in range(2):
        session._renew(session.outlook.me.name, {}, 10.0)
    assert all("rendezvousUID" not in said for said in connection.said[-2:])
    handler.shutdown()


def test_what_a_restored_backup_has_forgotten_of_a_member_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Remembers()
    handler = new_handler(connection)
    handler.next_rendezvous()
    session = handler._session
    assert session is not None
    session.rejoin(1, 29500, time.monotonic() + 10)
    del connection.stored["rendezvousUID"]
    connection.stored["afterRound"] = 0
    looked: list[bool] = []
    monkeypatch.setattr(session._watcher, "begin_anew", lambda: looked.append(True))
    session._renew(session.outlook.me.name, {}, 10.0)
    assert session.outlook.me.after_round == 0, "who stands there now joins again"
    assert looked == [True]
    session._renew(session.outlook.me.name, {}, 10.0)
    assert connection.said[-1]["rendezvousUID"] == session.outlook.me.rendezvous_uid
    handler.shutdown()


def test_also_where_neighbours_may_ask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Remembers()
    handler = new_handler(connection)
    handler.next_rendezvous()
    session = handler._session
    assert session is not None
    monkeypatch.setattr(session._life, "watch_port", lambda *_: 4711)
    session._renew(session.outlook.me.name, {}, 10.0)
    del connection.stored["rendezvousUID"]
    for _ in range(2):
        session._renew(session.outlook.me.name, {}, 10.0)
    assert connection.said[-1]["watchPort"] == 4711
    handler.shutdown()


class GivesNoNumberTwice(OneNodeServer):
    """With an operator that goes by what members know."""

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        known = max(self._status.round, body["spec"].get("afterRound", 0))
        self._status = replace(self._status, round=known)
        return super()._create(body)


def test_who_joins_anew_takes_leave_of_the_member_that_the_backup_holds() -> None:
    server = GivesNoNumberTwice()
    handler = new_handler(server)
    handler.next_rendezvous()
    of_the_backup = server._status
    handler.next_rendezvous()
    server._tell(of_the_backup)  # restored so that versions are higher
    assert handler.wait_for_interruption(10.0) is not None

    handler.next_rendezvous()

    assert server._status.round > 2
    old, new = server.made
    assert server.left == [old]
    handler.shutdown()
    assert server.left == [old, new]
