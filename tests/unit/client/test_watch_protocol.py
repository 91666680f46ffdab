"""The list-and-watch protocol, without any I/O."""

import json
from typing import Any

import pytest

from kube_rendezvous.cluster.paging import FIRST_PAGE
from kube_rendezvous.cluster.watch_protocol import (
    WATCH_SECONDS,
    Changed,
    Listed,
    ListRequest,
    Removed,
    WatchProtocol,
    WatchRequest,
)

SELECTOR = {"fieldSelector": "metadata.name=run"}


def thing(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


@pytest.fixture
def listed() -> WatchProtocol:
    """A protocol after its first list."""
    protocol = WatchProtocol(SELECTOR)
    protocol.listed({"metadata": {"resourceVersion": "10"}, "items": [thing("run", "7")]})
    return protocol


def version_of(request: object) -> str:
    assert isinstance(request, WatchRequest)
    return request.query["resourceVersion"]


def test_the_first_request_is_a_list_that_is_consistent() -> None:
    assert WatchProtocol(SELECTOR).next_request() == ListRequest(SELECTOR), "no resourceVersion: no cache answers it"


def test_a_list_gives_every_object_there_is() -> None:
    answer = {"metadata": {"resourceVersion": "10"}, "items": [thing("a", "7"), thing("b", "9")]}
    assert WatchProtocol().listed(answer) == answer["items"]


@pytest.mark.parametrize("items", [{}, {"items": None}, {"items": []}])
def test_a_list_may_be_empty(items: dict[str, Any]) -> None:
    assert WatchProtocol().listed({"metadata": {"resourceVersion": "10"}} | items) == []


def test_after_the_list_everything_since_then_is_watched_with_bookmarks(listed: WatchProtocol) -> None:
    request = listed.next_request()
    assert isinstance(request, WatchRequest)
    seconds = int(request.query["timeoutSeconds"])
    assert WATCH_SECONDS[0] <= seconds <= WATCH_SECONDS[1]
    assert request.query == {
        **SELECTOR,
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "10",
        "timeoutSeconds": str(seconds),
    }


@pytest.mark.parametrize(("kind", "event"), [("ADDED", Changed), ("MODIFIED", Changed), ("DELETED", Removed)])
def test_an_event_is_told_and_a_broken_watch_goes_on_behind_it(
    listed: WatchProtocol, kind: str, event: type[Changed | Removed]
) -> None:
    assert listed.line(line(kind, thing("run", "11"))) == event(thing("run", "11"))
    assert version_of(listed.next_request()) == "11"
    assert not listed.must_list


def test_a_bookmark_is_no_event_and_moves_the_watch_on(listed: WatchProtocol) -> None:
    assert listed.line(line("BOOKMARK", thing("", "20"))) is None
    assert version_of(listed.next_request()) == "20"
    assert not listed.must_list


def test_it_says_up_to_which_version_it_has_told_everything(listed: WatchProtocol) -> None:
    said = [WatchProtocol(SELECTOR).version, listed.version]
    for event in (line("ADDED", thing("run", "11")), line("BOOKMARK", thing("", "20")), line("ERROR", {"code": 410})):
        listed.line(event)
        said.append(listed.version)
    assert said == [None, "10", "11", "20", None]


@pytest.mark.parametrize("code", [410, 500])
def test_an_error_event_means_that_everything_is_listed_again(listed: WatchProtocol, code: int) -> None:
    assert listed.line(line("ERROR", {"kind": "Status", "code": code})) is None
    assert listed.must_list
    assert listed.next_request() == ListRequest(SELECTOR)


def test_a_watch_that_is_refused_as_expired_means_that_everything_is_listed_again(listed: WatchProtocol) -> None:
    listed.expired()
    assert listed.must_list
    assert listed.next_request() == ListRequest(SELECTOR)


def page(version: str, rest: str, *names: str) -> dict[str, Any]:
    metadata = {"resourceVersion": version} | ({"continue": rest} if rest else {})
    return {"metadata": metadata, "items": [thing(name, "1") for name in names]}


def test_a_paged_list_is_asked_for_until_its_end_and_told_whole() -> None:
    protocol = WatchProtocol(SELECTOR, paged=True)
    first = protocol.next_request()
    assert first == ListRequest({**SELECTOR, "limit": str(FIRST_PAGE)})
    assert protocol.listed(page("10", "more", "a", "b")) is None
    assert protocol.must_list
    second = protocol.next_request()
    assert second.query["continue"] == "more"
    assert protocol.listed(page("10", "", "c")) == [thing("a", "1"), thing("b", "1"), thing("c", "1")]
    assert version_of(protocol.next_request()) == "10"


def test_a_list_that_expired_half_way_begins_anew() -> None:
    protocol = WatchProtocol(paged=True)
    protocol.listed(page("10", "more", "a"))
    protocol.expired()
    assert "continue" not in protocol.next_request().query
    assert protocol.listed(page("20", "", "b")) == [thing("b", "1")]


def test_of_large_objects_few_are_asked_for_at_once_and_of_small_ones_many() -> None:
    protocol = WatchProtocol(paged=True)
    protocol.listed(page("10", "more", "a", "b"), 2 << 20)
    assert protocol.next_request().query["limit"] == "8"
    for _ in range(5):
        protocol.listed(page("10", "more", "a", "b"), 2000)
    assert protocol.next_request().query["limit"] == "2000"


def test_what_is_not_wanted_of_an_object_is_dropped_as_soon_as_it_is_read() -> None:
    protocol = WatchProtocol(slim=lambda obj: {"metadata": {"name": obj["metadata"]["name"]}})
    assert protocol.listed(page("10", "", "a")) == [{"metadata": {"name": "a"}}]
    assert protocol.line(line("MODIFIED", thing("b", "11"))) == Changed({"metadata": {"name": "b"}})


END = {"metadata": {"resourceVersion": "10", "annotations": {"k8s.io/initial-events-end": "true"}}}


@pytest.fixture
def streaming() -> WatchProtocol:
    """A protocol that has begun with a watch."""
    protocol = WatchProtocol(SELECTOR, streams_first=True)
    request = protocol.next_request()
    assert isinstance(request, WatchRequest)
    assert request.query.items() >= {**SELECTOR, "sendInitialEvents": "true", "allowWatchBookmarks": "true"}.items()
    assert "resourceVersion" not in request.query, "no cache that lags behind answers it"
    return protocol


def test_a_watch_may_bring_what_there_is_and_goes_on_from_there(streaming: WatchProtocol) -> None:
    assert not streaming.must_list
    assert streaming.line(line("ADDED", thing("run", "7"))) == Changed(thing("run", "7"))
    assert streaming.line(line("BOOKMARK", END)) == Listed([thing("run", "7")])
    assert streaming.line(line("MODIFIED", thing("run", "11"))) == Changed(thing("run", "11"))
    assert version_of(streaming.next_request()) == "11"


def test_a_watch_tells_that_there_is_nothing(streaming: WatchProtocol) -> None:
    assert streaming.line(line("BOOKMARK", END)) == Listed([])


def test_what_changes_while_a_watch_brings_it_is_brought_as_it_is(streaming: WatchProtocol) -> None:
    for kind, obj in (("ADDED", thing("a", "7")), ("ADDED", thing("b", "8")), ("MODIFIED", thing("a", "9"))):
        streaming.line(line(kind, obj))
    assert streaming.line(line("DELETED", thing("b", "10"))) == Removed(thing("b", "10"))
    assert streaming.line(line("BOOKMARK", END)) == Listed([thing("a", "9")])


def test_a_watch_that_breaks_before_it_has_brought_everything_is_followed_by_a_list(streaming: WatchProtocol) -> None:
    streaming.line(line("ADDED", thing("a", "7")))
    assert streaming.next_request() == ListRequest(SELECTOR)
    assert streaming.must_list
    assert streaming.listed({"metadata": {"resourceVersion": "12"}, "items": []}) == [], "nothing of before is kept"


def test_a_watch_that_brings_what_there_is_is_tried_once(streaming: WatchProtocol) -> None:
    streaming.expired()
    assert streaming.next_request() == ListRequest(SELECTOR)
    assert streaming.next_request() == ListRequest(SELECTOR)
