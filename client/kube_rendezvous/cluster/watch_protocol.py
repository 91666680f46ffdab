"""The Kubernetes list-and-watch protocol without I/O: which request to make next, one answer in, events out.

Shared by the client's watch of one object and the operator's watch of all Members. Rules: list, then watch from the
list's resource version; a bookmark moves that version on; 410 (or any other ERROR event) means list again; a broken or
ended watch goes on from the last version seen. The list is made without a resource version, so that it is consistent: a
cache that lags behind must not make a living member look gone. The first list may come in the first watch itself, as
events up to a bookmark that marks its end; whatever is in the way of that, there is a list.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_rendezvous.cluster.paging import Paging

WATCH_SECONDS = (240, 300)
"""The server ends a watch after a random time in this range, so that watchers spread."""

SILENCE_SECONDS = 80.0
"""A bookmark comes about every minute, if anything changed; a stream that is silent for longer is opened anew."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListRequest:
    """GET the collection with this query; give the answer to `WatchProtocol.listed`."""

    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Stream the collection with this query; give each line to `WatchProtocol.line`."""

    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Listed:
    """With this, the watch has brought every object there is; each came as `Changed` before."""

    objects: list[Object]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object was added or modified."""

    object: Object


@dataclass(frozen=True, slots=True)
class Removed:
    """An object was deleted; this is its last version."""

    object: Object


class MalformedAnswerError(ValueError):
    """An answer that is not the API server's; the text shows its beginning."""


@dataclass(slots=True)
class WatchProtocol:
    """State of one list-and-watch.

    Args:
        selector: query parameters such as ``fieldSelector``.
        paged: ask for lists in pages that fit into memory.
        slim: what is kept of an object, of each as soon as it is read.
        streams_first: begin with a watch that brings what there is. Tried once.
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    paged: bool = False
    slim: Callable[[Object], Object] = lambda obj: obj
    streams_first: bool = False
    _streams: bool = field(default=False, init=False)
    _version: str | None = field(default=None, init=False)
    _paging: Paging = field(default_factory=Paging, init=False)
    _continue: str = field(default="", init=False)
    _so_far: list[Object] = field(default_factory=list, init=False)
    _brought: dict[tuple[str, str], Object] = field(default_factory=dict, init=False)

    def next_request(self) -> ListRequest | WatchRequest:
        """What to ask the server now."""
        if self._version is None and self.streams_first:
            self.streams_first, self._streams = False, True
            return WatchRequest({**self.selector, **_INITIAL_EVENTS, **_watching()})
        if self._version is None:
            if self._streams:  # it broke before it had brought everything
                self.expired()
            page = {"limit": str(self._paging.limit)} if self.paged else {}
            return ListRequest({**self.selector, **page, **({"continue": self._continue} if self._continue else {})})
        return WatchRequest({**self.selector, "resourceVersion": self._version, **_watching()})

    def listed(self, answer: Object, size: int = 0) -> list[Object] | None:
        """Take a list's answer, of so many bytes: every object there is; None: there is another page to ask for.

        Raises:
            MalformedAnswerError: it is no list of objects.
        """
        try:
            version, items = answer["metadata"]["resourceVersion"], list(answer.get("items") or ())
            if not (isinstance(version, str) and all(_is_object(item) for item in items)):
                raise TypeError("no list of objects")
        except (KeyError, TypeError) as error:
            raise MalformedAnswerError(f"not a list of objects ({error!r})") from error
        self._so_far.extend(map(self.slim, items))
        self._continue = str(answer["metadata"].get("continue") or "")
        self._paging.answered(len(items), size)
        if self._continue:
            return None
        self._version = version
        listed, self._so_far = self._so_far, []
        self._paging = Paging()
        return listed

    def line(self, line: bytes) -> Changed | Removed | Listed | None:
        """Take one line of a watch. After None, `must_list` tells whether the watch is of any more use.

        Raises:
            MalformedAnswerError: it is no event: what came before it may be wrong, too.
        """
        try:
            event = json.loads(line)
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                self.expired()
                return None
            version = obj["metadata"]["resourceVersion"]
            if not isinstance(version, str) or not (kind == "BOOKMARK" or _is_object(obj)):
                raise TypeError("no object")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedAnswerError(f"not an event of a watch: {line[:100]!r}") from error
        if self._streams:
            return self._bring(kind, obj)
        self._version = version
        if kind == "BOOKMARK":
            return None
        obj = self.slim(obj)
        return Removed(obj) if kind == "DELETED" else Changed(obj)

    def _bring(self, kind: str, obj: Object) -> Changed | Removed | Listed | None:
        """An event of those that bring what there is."""
        meta = obj["metadata"]
        if kind == "BOOKMARK":
            if (meta.get("annotations") or {}).get(_END_OF_INITIAL_EVENTS) != "true":
                return None
            self._version, self._streams = meta["resourceVersion"], False
            brought, self._brought = list(self._brought.values()), {}
            return Listed(brought)
        obj = self.slim(obj)
        place = str(meta.get("namespace")), meta["name"]
        if kind == "DELETED":
            self._brought.pop(place, None)
            return Removed(obj)
        self._brought[place] = obj
        return Changed(obj)

    @property
    def version(self) -> str | None:
        """Up to which, with the event that it has just returned, it has told everything; None: nothing, or not any more
        without a list."""
        return self._version

    @property
    def brings_all(self) -> bool:
        """Whether the watch is one that begins with what there is, and has not brought it all yet."""
        return self._streams

    @property
    def must_list(self) -> bool:
        """Whether the next request is a list."""
        return self._version is None and not self._streams

    def expired(self) -> None:
        """The server refused the watch, or the rest of a list (410 as an HTTP status): list again."""
        self._version, self._streams = None, False
        self._continue, self._so_far, self._brought = "", [], {}


_INITIAL_EVENTS = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
_END_OF_INITIAL_EVENTS = "k8s.io/initial-events-end"


def _watching() -> dict[str, str]:
    seconds = str(random.randint(*WATCH_SECONDS))
    return {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": seconds}


def _is_object(obj: Any) -> bool:
    """Whether it has what every object of the API server has, and what every listener asks for."""
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    return isinstance(meta, dict) and isinstance(meta.get("name"), str) and isinstance(meta.get("resourceVersion"), str)
