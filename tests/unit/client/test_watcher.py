"""The watching thread: informed through every failure, and ended at once."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.watcher import Watcher
from unit.scripted_connection import ScriptedConnection, ScriptedStream

PATH = "/apis/x/things"
LIMIT_SECONDS = 30.0


class Listener:
    """Keeps what it is told, as words; ``until`` waits for them."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._changed = threading.Condition()

    def relisted(self, objects: list[Any]) -> None:
        self._tell("listed " + ",".join(obj["metadata"]["name"] for obj in objects))

    def changed(self, obj: Any) -> None:
        self._tell(f"changed {obj['metadata']['name']}")

    def removed(self, obj: Any) -> None:
        self._tell(f"removed {obj['metadata']['name']}")

    def troubled(self, failure: ApiFailureError) -> None:
        self._tell(f"troubled {failure.status}")

    def connected(self) -> None:
        self._tell("connected")

    def until(self, *words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= len(words), LIMIT_SECONDS), self.told
        assert self.told[: len(words)] == list(words)

    def _tell(self, words: str) -> None:
        with self._changed:
            self.told.append(words)
            self._changed.notify_all()


def listing(version: str, *names: str) -> dict[str, Any]:
    items = [{"metadata": {"name": name, "resourceVersion": version}} for name in names]
    return {"metadata": {"resourceVersion": version}, "items": items}


def line(kind: str, name: str, version: str) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}}}).encode()


EXPIRED = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}).encode()


def stays_open(*lines: bytes | Exception) -> ScriptedStream:
    return ScriptedStream(lines, stays_open=True)


Watch = Callable[..., tuple[Listener, ScriptedConnection, Watcher]]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """``watch(lists, streams)``: a watcher at work on that script."""
    started: list[Watcher] = []

    def start(
        lists: list[Any], streams: list[Any], listener: Listener | None = None, short: float = 0.0, **how: Any
    ) -> Any:
        connection: Any = how.pop("connection", None) or ScriptedConnection()
        connection.answers, connection.streams = {("GET", PATH): lists}, streams
        listener = listener or Listener()
        watcher = Watcher(connection, PATH, {}, listener, name="test-watch", retry_limit=0.01, short=short)
        started.append(watcher)
        watcher.start(**how)
        return listener, connection, watcher

    yield start
    for watcher in started:
        watcher.stop()
    assert "test-watch" not in {thread.name for thread in threading.enumerate()}


def test_it_lists_then_watches_from_there(watch: Watch) -> None:
    stream = stays_open(line("ADDED", "b", "11"), line("DELETED", "a", "12"))
    listener, connection, _ = watch([listing("10", "a")], [stream])
    listener.until("listed a", "connected", "changed b", "removed a")
    assert [query["resourceVersion"] for query in connection.watched] == ["10"]


def test_a_watch_that_the_server_ends_goes_on_from_the_last_version_without_a_list(watch: Watch) -> None:
    first = ScriptedStream([line("MODIFIED", "a", "11"), line("BOOKMARK", "", "15")])
    listener, connection, _ = watch([listing("10", "a")], [first, stays_open(line("MODIFIED", "a", "16"))])
    listener.until("listed a", "connected", "changed a", "connected", "changed a")
    assert [query["resourceVersion"] for query in connection.watched] == ["10", "15"]
    assert first.closed


def test_a_watch_that_breaks_is_told_as_trouble_and_goes_on_from_the_last_version(watch: Watch) -> None:
    broken = ScriptedStream([line("MODIFIED", "a", "11"), ApiUnavailableError("GET", 0, "", "broken")])
    listener, connection, _ = watch([listing("10", "a")], [broken, stays_open()])
    listener.until("listed a", "connected", "changed a", "troubled 0", "connected")
    assert [query["resourceVersion"] for query in connection.watched] == ["10", "11"]
    assert broken.closed


def test_an_expired_version_inside_the_watch_means_a_new_list(watch: Watch) -> None:
    listener, connection, _ = watch([listing("10", "a"), listing("20", "b")], [ScriptedStream([EXPIRED]), stays_open()])
    listener.until("listed a", "connected", "troubled 410", "listed b", "connected")
    assert [query["resourceVersion"] for query in connection.watched] == ["10", "20"]


def test_an_expired_version_as_the_answer_means_a_new_list(watch: Watch) -> None:
    refused = ApiUnavailableError(f"GET {PATH}", 410, "Expired", "too old")
    listener, _, _ = watch([listing("10", "a"), listing("20", "b")], [refused, stays_open()])
    listener.until("listed a", "troubled 410", "listed b", "connected")


def test_who_is_told_to_begin_anew_lists_at_once(watch: Watch) -> None:
    first = stays_open()
    listener, connection, watcher = watch([listing("10", "a"), listing("5", "b")], [first, stays_open()])
    listener.until("listed a", "connected")
    watcher.begin_anew()
    eventually(lambda: "listed b" in listener.told, "it has listed again")
    eventually(lambda: len(connection.watched) == 2, "it watches again")
    assert connection.watched[1]["resourceVersion"] == "5"
    assert first.closed


def test_a_list_that_fails_is_tried_again(watch: Watch) -> None:
    failure = ApiUnavailableError(f"GET {PATH}", 503, "", "not ready")
    listener, _, _ = watch([failure, failure, listing("10", "a")], [stays_open()])
    listener.until("troubled 503", "troubled 503", "listed a", "connected")


@pytest.mark.parametrize("garbage", [b"no json", b"{}", b'{"type": "ADDED", "object": {}}'])
def test_a_line_that_makes_no_sense_ends_neither_the_thread_nor_what_is_known(watch: Watch, garbage: bytes) -> None:
    listener, _, _ = watch([listing("10", "a"), listing("20", "b")], [ScriptedStream([garbage]), stays_open()])
    listener.until("listed a", "connected", "troubled 200", "listed b", "connected")


@pytest.mark.parametrize("garbage", [{}, {"metadata": {}}, {"metadata": None, "items": []}, {"metadata": "x"}])
def test_a_list_that_makes_no_sense_is_asked_for_again(watch: Watch, garbage: Any) -> None:
    listener, _, _ = watch([garbage, listing("10", "a")], [stays_open()])
    listener.until("troubled 200", "listed a", "connected")


def test_a_watch_that_ends_as_soon_as_it_begins_is_a_trouble_and_followed_by_a_pause(watch: Watch) -> None:
    ends = [ScriptedStream([]), ScriptedStream([line("ADDED", "b", "11")])]
    listener, _, _ = watch([listing("10", "a")], [*ends, stays_open()], short=LIMIT_SECONDS)
    listener.until("listed a", "connected", "troubled 200", "connected", "changed b", "troubled 200", "connected")


def test_a_listener_that_raises_is_told_everything_again(watch: Watch) -> None:
    class Clumsy(Listener):
        def changed(self, obj: Any) -> None:
            super().changed(obj)
            if self.told.count("changed b") == 1:
                raise ZeroDivisionError

    first, second = ScriptedStream([line("ADDED", "b", "11")]), stays_open()
    listener, _, _ = watch([listing("10", "a"), listing("11", "a", "b")], [first, second], Clumsy())
    listener.until("listed a", "connected", "changed b", "troubled 0", "listed a,b", "connected")


def test_a_stopped_watcher_ends_at_once_and_tells_nothing_more(watch: Watch) -> None:
    stream = stays_open()
    listener, _, watcher = watch([listing("10", "a")], [stream])
    listener.until("listed a", "connected")
    watcher.stop()
    watcher.stop()
    assert stream.closed
    assert listener.told == ["listed a", "connected"]


def test_a_watcher_can_be_stopped_from_its_own_thread(watch: Watch) -> None:
    class Stopping(Listener):
        watcher: Watcher

        def changed(self, obj: Any) -> None:
            super().changed(obj)
            self.watcher.stop()

    listener = Stopping()
    ready = threading.Event()

    def first_list(_: Any) -> dict[str, Any]:
        ready.wait(LIMIT_SECONDS)
        return listing("10", "a")

    stream = ScriptedStream([line("ADDED", "b", "11"), line("ADDED", "c", "12")])
    _, _, listener.watcher = watch([first_list], [stream], listener)
    ready.set()
    listener.until("listed a", "connected", "changed b")
    listener.watcher.stop()
    assert listener.told[-1] == "changed b"


def test_a_watcher_that_was_never_started_can_be_stopped() -> None:
    Watcher(ScriptedConnection(), PATH, {}, Listener(), name="unused").stop()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lists", "streams", "reasons"),
    [
        ([listing("1")], [ScriptedStream([]), stays_open()], ["ended"]),
        ([listing("1")], [ScriptedStream([EXPIRED]), stays_open()], ["expired"]),
        ([listing("1")], [ApiUnavailableError("GET", 410, "Expired", "old"), stays_open()], ["expired"]),
        ([listing("1")], [ApiUnavailableError("GET", 503, "", "away"), stays_open()], ["broken"]),
        ([ApiRefusedError("GET", 403, "Forbidden", "no"), listing("1")], [stays_open()], ["refused"]),
    ],
    ids=["ended by the server", "expired inside", "expired", "broken", "refused"],
)
def test_why_it_begins_anew_is_reported(lists: list[Any], streams: list[Any], reasons: list[str]) -> None:
    connection, listener, reported = ScriptedConnection({("GET", PATH): lists}, streams), Listener(), list[str]()
    watcher = Watcher(
        connection,  # type: ignore[arg-type]
        PATH,
        {},
        listener,
        name="test-watch",
        retry_limit=0.01,
        short=0.0,
        on_restart=reported.append,
    )
    watcher.start()
    deadline = time.monotonic() + LIMIT_SECONDS
    while streams and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    watcher.stop()
    assert reported == reasons


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(b"<html>", id="a page"),
        pytest.param(line("MODIFIED", "a", "2")[:20], id="a half line"),
        pytest.param(b'{"type": "MODIFIED", "object": {}}', id="no object"),
        pytest.param(b"[]", id="no event"),
    ],
)
def test_a_line_that_is_no_event_breaks_the_watch_and_everything_is_listed_again(
    watch: Watch, half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        listener, _, _ = watch(
            [listing("1", "a"), listing("6", "a")], [stays_open(line("MODIFIED", "a", "5"), half), stays_open()]
        )
        listener.until("listed a", "connected", "changed a", "troubled 200", "listed a", "connected")
    assert caplog.messages == []


@pytest.mark.parametrize("answer", [{"kind": "Status"}, {"metadata": {}}, {"metadata": {"resourceVersion": 5}}])
def test_a_list_that_is_none_is_asked_for_again(
    watch: Watch, answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        listener, _, _ = watch([answer, listing("1", "a")], [stays_open()])
        listener.until("troubled 200", "listed a", "connected")
    assert caplog.messages == []


@pytest.mark.parametrize("end", [Watcher.go_on, Watcher.stop])
def test_the_first_watch_waits_until_it_may_go_on_or_is_ended(end: Callable[[Watcher], None]) -> None:
    connection = ScriptedConnection({("GET", PATH): [listing("1", "a")]}, [ScriptedStream([], stays_open=True)])
    listener = Listener()
    watcher = Watcher(connection, PATH, {}, listener, name="held", hold_seconds=60.0)  # type: ignore[arg-type]
    watcher.start()
    listener.until("listed a")
    assert not connection.watched
    end(watcher)
    if end is Watcher.go_on:
        listener.until("listed a", "connected")
    watcher.stop()
    assert not watcher.thread.is_alive()
    assert len(connection.watched) == (end is Watcher.go_on)


def test_a_watch_that_nobody_lets_go_on_does_so_by_itself() -> None:
    connection = ScriptedConnection({("GET", PATH): [listing("1", "a")]}, [ScriptedStream([], stays_open=True)])
    listener = Listener()
    watcher = Watcher(connection, PATH, {}, listener, name="held", hold_seconds=0.01)  # type: ignore[arg-type]
    watcher.start()
    listener.until("listed a", "connected")
    watcher.stop()


class HurriedEvent(threading.Event):
    """Lets nobody wait: notes for how long they would have, and is set after so many."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._count = count

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        if len(self.waits) == self._count:
            self.set()
        return self.is_set()


def test_what_we_may_not_see_is_asked_for_ever_more_rarely_and_nobody_takes_the_thread_for_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = ApiRefusedError("GET things", 403, "Forbidden", "may not")
    away = ApiUnavailableError("GET things", 503, "", "away")
    connection: Any = ScriptedConnection({("GET", PATH): [*[refused] * 9, *[away] * 9]}, [])
    watcher = Watcher(connection, PATH, {}, Listener(), name="refused", retry_limit=0.01, refused_limit=600.0)
    turns: list[float] = []
    monkeypatch.setattr(watcher.thread, "turn", lambda within: turns.append(within))
    stop = HurriedEvent(18)
    monkeypatch.setattr(watcher, "_stop", stop)
    watcher._run()
    assert stop.waits[0] <= 0.1, "the right may be on its way"
    assert stop.waits[8] >= 300.0
    assert max(stop.waits[9:]) <= 0.01, "a server that was away is no refusal"
    announced = turns[1::2]
    assert all(within > pause for within, pause in zip(announced, stop.waits, strict=True))


BROUGHT = json.dumps(
    {
        "type": "BOOKMARK",
        "object": {"metadata": {"resourceVersion": "10", "annotations": {"k8s.io/initial-events-end": "true"}}},
    }
).encode()
UNKNOWN = ApiRefusedError("GET", 422, "Invalid", "sendInitialEvents: Forbidden")
NOT_ALLOWED = ApiRefusedError("GET", 403, "Forbidden", "cannot watch")


def test_one_watch_may_bring_everything(watch: Watch) -> None:
    stream = stays_open(line("ADDED", "a", "7"), BROUGHT, line("MODIFIED", "a", "11"))
    listener, connection, _ = watch([], [stream], streams_first=True)
    listener.until("connected", "changed a", "listed a", "changed a")
    assert connection.asked == []


@pytest.mark.parametrize("refusal", [UNKNOWN, NOT_ALLOWED])
def test_where_it_is_refused_the_list_comes_at_once(watch: Watch, refusal: ApiRefusedError) -> None:
    listener, *_ = watch([listing("10", "a")], [refusal, stays_open()], streams_first=True)
    listener.until("listed a", "connected")


def test_an_api_server_that_does_not_know_such_a_watch_is_asked_once(watch: Watch) -> None:
    listener, connection, watcher = watch([listing("10", "a")], [UNKNOWN, stays_open()], streams_first=True)
    listener.until("listed a", "connected")
    watcher.stop()
    listener, connection, _ = watch([listing("10", "a")], [stays_open()], connection=connection, streams_first=True)
    listener.until("listed a", "connected")
    assert ["sendInitialEvents" in query for query in connection.watched] == [True, False, False]


def test_one_that_may_not_be_watched_is_not_taken_for_such_a_server(watch: Watch) -> None:
    listener, connection, watcher = watch([listing("10", "a")], [NOT_ALLOWED, stays_open()], streams_first=True)
    listener.until("listed a", "connected")
    watcher.stop()
    listener, *_ = watch([], [stays_open(BROUGHT)], connection=connection, streams_first=True)
    listener.until("connected", "listed ")
