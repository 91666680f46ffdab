"""A join whose first request is the POST of the Member: what it found is written later, and nothing stays behind."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import pytest

from kube_rendezvous.api import RendezvousClosedError, RendezvousParameters
from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.session import Session
from kube_rendezvous.resources import Closed
from kube_rendezvous.resources.rendezvous import RendezvousStatus
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only
from unit.client.test_watcher import BROUGHT, stays_open
from unit.scripted_connection import Asked, ScriptedConnection
from unit.shell.objects import UID, raw_rendezvous

LIMIT_SECONDS = 20.0
LONGER_THAN_UNNOTICED = 6.0
SMALL, LARGE = 500, 501
OF_THE_SAME_SECOND = "2026-03-01T12:00:00Z"
LATER = "2026-03-01T12:00:02Z"
OLD_DEFINITIONS = ApiRefusedError("POST", 422, "Invalid", "spec.rendezvousUID: Required value")
REFUSED = ApiRefusedError("POST", 403, "Forbidden", "cannot create")
LOST = ApiUnavailableError("POST", 0, "", "connection reset by peer")
EXISTS = ApiRefusedError("POST", 409, "AlreadyExists", "exists")


class ApiServer(ScriptedConnection):
    """Has this Rendezvous, or none, and creates Members at this time.

    Attributes:
        written: what Members wrote, in order.
    """

    def __init__(self, rendezvous: dict[str, Any] | None, created: str, *posts: ApiFailureError | None) -> None:
        objects = [] if rendezvous is None else [rendezvous]
        listed = {"metadata": {"resourceVersion": "1"}, "items": objects}
        super().__init__({("GET", "/rendezvous"): [listed]})
        self.answers[("POST", "/rendezvousmembers")] = [error or self._create for error in (*posts, None)]
        self.answers[("PATCH", "/rendezvousmembers")] = [self._patch]
        self.brings = [event(obj) for obj in objects]
        self.created = created
        self.written: list[dict[str, Any]] = []
        self._wrote = threading.Condition()

    def _create(self, asked: Asked) -> dict[str, Any]:
        return {**asked.body, "metadata": {**asked.body["metadata"], "creationTimestamp": self.created}}

    def _patch(self, asked: Asked) -> dict[str, Any]:
        with self._wrote:
            said = {key: value for key, value in asked.body["spec"].items() if key != "renewTime"}
            self.written.append({"name": asked.path.rsplit("/", 1)[1], **said})
            self._wrote.notify_all()
        return {"metadata": {}}

    def until_written(self) -> dict[str, Any]:
        """The first write of a Member."""
        with self._wrote:
            assert self._wrote.wait_for(lambda: self.written, LIMIT_SECONDS)
            return self.written[0]

    def stream(self, path: str, *, query: Any, silence: float) -> Any:
        self.streams = [stays_open(*([*self.brings, BROUGHT] if "sendInitialEvents" in query else []))]
        return super().stream(path, query=query, silence=silence)

    @property
    def posted(self) -> list[tuple[str, bool]]:
        """Each POST of a Member: its name, and whether it said what it belongs to."""
        bodies = [asked.body for asked in self.asked if asked.method == "POST"]
        return [(body["metadata"]["name"], "rendezvousUID" in body["spec"]) for body in bodies]

    def close(self) -> None:
        """Nothing is open."""


def event(obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": "ADDED", "object": obj}).encode()


class Begin(Protocol):
    """Begins to join."""

    def __call__(self, connection: ApiServer, max_nodes: int = 2) -> Session:
        """Until it is known what there is."""


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins to join, until it is known what there is."""
    sessions: list[Session] = []

    def start(connection: ApiServer, max_nodes: int = 2) -> Session:
        identity = Identity("node", "", "", "", "", "127.0.0.1")
        session = Session(connection, "ns", "run", identity, watches_neighbours=True)  # type: ignore[arg-type]
        sessions.append(session)
        deadline = time.monotonic() + LIMIT_SECONDS
        session.start_by_joining(lambda: 29500, deadline, max_nodes=max_nodes)
        session.wait_for_list(deadline)
        return session

    yield start
    for session in sessions:
        session.stop()


def test_a_join_is_one_post_and_one_watch(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER)
    session = begin(connection)
    assert (session.outlook.me.name, session.outlook.me.rendezvous_uid) == (connection.posted[0][0], UID)
    assert session.found_what_it_joined()
    session.withdraw(tried=True)
    assert (connection.methods, len(connection.watched)) == (["POST"], 1)


def test_the_next_heartbeat_says_what_it_belongs_to_and_no_later_one(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER)
    session = begin(connection)
    for after_round in (1, 2):
        session.rejoin(after_round, 29500, time.monotonic() + LIMIT_SECONDS)
    assert [one.get("rendezvousUID") for one in connection.written] == [UID, None]


def test_who_waits_long_says_it_without_waiting_for_a_rare_heartbeat(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER)
    session = begin(connection)
    session.wait_while(session.outlook.standing(), LONGER_THAN_UNNOTICED)
    assert connection.until_written() == {"name": session.outlook.me.name, "rendezvousUID": UID}


def test_who_expects_a_large_rendezvous_tells_its_neighbours_with_the_first_request_where_to_ask(begin: Begin) -> None:
    ports = []
    for max_nodes in (SMALL, LARGE):
        connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER)
        begin(connection, max_nodes)
        ports += [asked.body["spec"].get("watchPort", 0) for asked in connection.asked if asked.method == "POST"]
    assert ports[0] == 0 < ports[1]


def test_where_the_member_may_be_a_leftover_it_is_said_at_once(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), OF_THE_SAME_SECOND)
    session = begin(connection)
    assert connection.until_written() == {"name": session.outlook.me.name, "rendezvousUID": UID}


CLOSED = RendezvousStatus(closed=Closed("a", parse_time(LATER), "ClosedByMember", "done"))
GOES = raw_rendezvous(1)
GOES["metadata"] = {**GOES["metadata"], "deletionTimestamp": LATER, "finalizers": ["x"]}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(raw_rendezvous(1, CLOSED), id="closed by a member"),
        pytest.param(raw_rendezvous(1, closed=True), id="closed by a person"),
        pytest.param(GOES, id="being deleted"),
        pytest.param(None, id="none"),
    ],
)
def test_where_nobody_would_join_the_member_is_taken_back(begin: Begin, found: dict[str, Any] | None) -> None:
    connection = ApiServer(found, LATER)
    session = begin(connection)
    session.withdraw()
    [(name, _)] = connection.posted
    assert connection.written == [{"name": name, "leaving": True}]
    assert session.outlook.me.name == ""


def test_who_creates_the_rendezvous_joins_it_with_the_member_that_it_has(begin: Begin) -> None:
    connection = ApiServer(None, OF_THE_SAME_SECOND)
    connection.answers[("POST", "/rendezvous")] = [raw_rendezvous(2, heartbeatSeconds=300)]
    session = begin(connection)
    session.create_rendezvous({"minNodes": 1}, time.monotonic() + LIMIT_SECONDS)
    assert connection.until_written() == {"name": session.outlook.me.name, "rendezvousUID": UID}
    assert len([asked for asked in connection.asked if "rendezvousmembers" in asked.path]) == 2


@pytest.mark.parametrize("failure", [OLD_DEFINITIONS, REFUSED, EXISTS])
def test_whatever_is_in_the_way_the_usual_order_follows(begin: Begin, failure: ApiFailureError) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER, failure)
    session = begin(connection)
    assert (session.outlook.me.name, session.outlook.rendezvous is not None) == ("", True)
    session.join(29500, time.monotonic() + LIMIT_SECONDS)
    assert [said for _, said in connection.posted] == [False, True]
    assert connection.methods == ["POST", "GET", "POST"]


def test_old_definitions_are_asked_once(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER, OLD_DEFINITIONS)
    begin(connection)
    begin(connection)
    assert connection.methods == ["POST", "GET", "GET"]


def test_a_first_post_whose_answer_is_lost_is_sent_again_under_its_name_and_completed(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, heartbeatSeconds=300), LATER, LOST, EXISTS)
    session = begin(connection)
    session.join(29500, time.monotonic() + LIMIT_SECONDS)
    assert len({name for name, _ in connection.posted}) == 1
    assert connection.until_written() == {"name": session.outlook.me.name, "rendezvousUID": UID}


def test_one_of_which_it_is_not_known_whether_it_was_made_is_taken_back_too(begin: Begin) -> None:
    connection = ApiServer(raw_rendezvous(1, closed=True), LATER, LOST)
    session = begin(connection)
    session.withdraw(tried=True)
    assert connection.written == [{"name": connection.posted[0][0], "leaving": True}]


class Hesitant(ApiServer):
    """Answers the POST of a Member when it is told to; keeps connections open until it is closed."""

    host, namespace = "127.0.0.1", "ns"

    def __init__(self) -> None:
        super().__init__(raw_rendezvous(1, heartbeatSeconds=300), LATER)
        self.posting, self.answer, self.idle = threading.Event(), threading.Event(), False

    def _create(self, asked: Asked) -> dict[str, Any]:
        self.posting.set()
        assert self.answer.wait(LIMIT_SECONDS)
        return super()._create(asked)

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            return super().request(method, path, **options)
        finally:
            self.idle = True

    def close(self) -> None:
        self.idle = False


def test_a_join_that_is_shut_down_before_its_first_request_is_answered_leaves_no_connection_and_no_port() -> None:
    connection = Hesitant()
    settings = read_settings(RendezvousParameters("kubernetes", "ns", "run", 1, 1))
    handler = KubernetesRendezvousHandler(settings, connection, open_address_only)  # type: ignore[arg-type]
    with ThreadPoolExecutor() as pool:
        join = pool.submit(handler.next_rendezvous)
        assert connection.posting.wait(LIMIT_SECONDS)
        assert handler.shutdown()
        connection.answer.set()
        with pytest.raises(RendezvousClosedError):
            join.result(LIMIT_SECONDS)
    assert [one["leaving"] for one in connection.written] == [True]
    assert not connection.idle
    assert handler._listening is None
