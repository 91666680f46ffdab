"""What lies between a process and the API server: time, loss, and watches that lag, repeat themselves and are cut.

A `Wire` stands where the shipped `Connection` has its credentials and their connection pool: all above it is shipped.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from urllib3.exceptions import ProtocolError, ReadTimeoutError

from kube_rendezvous.cluster import ApiUnavailableError
from simulation.whole.api_server import Event, Object, RefusalError, bookmark, events_of, expired, parse_path, selected
from simulation.whole.simulated_runtime import Process, Waiter, park, pause, wake
from simulation.whole.world import World

MOST_LAG_SECONDS = 1.5
_BOOKMARK_SECONDS = 60.0
_HALF = 0.05
"""How many lines of a watch come in two halves."""


class Wire:
    """Of one process.

    Args:
        carried_out: told of each request at the moment at which the server has carried it out: method, collection,
            name, parsed body, and the refusal if it was refused.
        sent: told of each request at the moment at which the process makes it: method and collection.
    """

    host = "https://simulated"
    fingerprint = "simulated"

    def __init__(
        self,
        world: World,
        process: Process,
        carried_out: Callable[..., None] = lambda *_: None,
        sent: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self._world, self._process, self._carried_out, self._sent = world, process, carried_out, sent
        self.streams: list[WatchStream] = []
        self._closed_until: dict[str, float] = {}
        self._forgotten: set[str] = set()
        self.told: dict[str, int] = {}
        self.told_of: set[str] = set()
        self.listed_at: dict[str, float] = {}
        world.wires.append(self)

    def close_idle(self) -> None:
        """As `Credentials.close_idle`."""

    def stop(self) -> None:
        """The process is gone."""
        self.streams.clear()
        self._world.wires.remove(self)

    def heard_until(self, plural: str) -> float:
        """All that happened to these before this time (seconds) has been told; -1: nothing yet."""
        told = self.told.get(plural)
        return -1.0 if told is None else self._world.server.heard_until(plural, told)

    def cut(self, plural: str, seconds: float) -> None:
        """Watches of these end, and none can be opened for so long; perhaps nobody knows then what has happened."""
        self._closed_until[plural] = self._world.seconds + seconds
        if self._world.rng.random() < 0.5:
            self._forgotten.add(plural)
        for stream in [stream for stream in self.streams if stream.plural == plural]:
            stream.cut()

    def hang(self, plural: str, seconds: float) -> None:
        """Watches of these stay open, and tell nothing for so long."""
        for stream in [stream for stream in self.streams if stream.plural == plural]:
            stream.hang(seconds)

    def cut_all(self) -> None:
        """The server goes away."""
        for stream in list(self.streams):
            stream.cut()

    def send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        timeouts: tuple[float, float],
        *,
        stream: bool,
    ) -> Any:
        """As `Credentials.send`."""
        world, rng, what = self._world, self._world.rng, f"{method} {url}"
        began = world.seconds
        path, query, plural, name = _asked(url)
        self._sent(method, plural)
        pause(rng.uniform(0.15, 1.0) if rng.random() < 0.05 else rng.uniform(0.0005, 0.01))
        if world.away:
            raise ApiUnavailableError(what, 0, "", "connection refused")
        if plural == "leases" and self._closed_until.get(plural, 0.0) > world.seconds:
            raise ApiUnavailableError(what, 0, "", "the lease cannot be reached")
        if stream:
            return self._open(what, plural, query)
        if (trouble := world.trouble()) and rng.random() < trouble:
            return self._answer(RefusalError(*rng.choice([(429, "TooManyRequests"), (500, "InternalError")])))
        body = json.loads(data.decode()) if data else None
        refusal: RefusalError | None = None
        answer: dict[str, Any] = {}
        try:
            answer = world.server.request(method, path, query, body)
        except RefusalError as error:
            refusal = error
        self._carried_out(method, plural, name, body, refusal)
        pause(rng.uniform(0.15, 1.0) if rng.random() < 0.05 else rng.uniform(0.0005, 0.01))
        if world.away or (trouble and rng.random() < trouble):
            raise ApiUnavailableError(what, 0, "", "the connection was reset before the answer came")
        if refusal is not None:
            return self._answer(refusal)
        if method == "GET" and not name:
            self._listed(plural, answer, began if "continue" not in query else 0.0)
        return self._answer(answer)

    def _answer(self, answer: dict[str, Any] | RefusalError) -> Any:
        if isinstance(answer, RefusalError):
            return SimpleNamespace(status=answer.status, headers={}, data=json.dumps(answer.body).encode())
        readings = self._world.readings
        text = readings.listed(answer) if "items" in answer else readings.object(answer)
        return SimpleNamespace(status=200, headers={}, data=text)

    def _listed(self, plural: str, answer: dict[str, Any], began: float) -> None:
        """A later page shows what there was when the first was asked for."""
        self.told_of.update(obj["metadata"]["uid"] for obj in answer["items"] if "uid" in obj["metadata"])
        self.listed_at[plural] = max(began, self.listed_at.get(plural, 0.0))
        if plural != "rendezvousmembers":
            self.told[plural] = max(int(answer["metadata"]["resourceVersion"]), self.told.get(plural, 0))

    def _open(self, what: str, plural: str, query: Mapping[str, str]) -> "WatchStream":
        world = self._world
        if self._closed_until.get(plural, 0.0) > world.seconds:
            raise ApiUnavailableError(what, 0, "", "this watch is cut")
        stream = WatchStream(world, self, plural, query)
        if "sendInitialEvents" in query:
            stream.bring(list(world.server.objects[plural].values()), world.server.version)
        elif plural in self._forgotten:
            self._forgotten.discard(plural)
            stream.begin(None)
        else:
            stream.begin(world.server.since(plural, int(query["resourceVersion"])))
        return stream


@lru_cache(maxsize=4096)
def _asked(url: str) -> tuple[str, Mapping[str, str], str, str]:
    """Path, query, collection and name."""
    path, _, query = url.partition("?")
    plural, name, _ = parse_path(path)
    return path, dict(parse_qsl(query)), plural, name


class WatchStream:
    """An answer that goes on: the response of a watch, as urllib3 gives it."""

    status, data = 200, b""

    def __init__(self, world: World, wire: Wire, plural: str, query: Mapping[str, str]) -> None:
        self.plural = plural
        self.headers: dict[str, str] = {}
        self._world, self._wire = world, wire
        self._watched = selected(query.get("fieldSelector", ""))
        self._ends = world.seconds + float(query["timeoutSeconds"])
        self._lines: deque[tuple[float, int, bytes, str]] = deque()
        self._last = world.seconds
        self._cut = self._over = False
        self._from = int(query.get("resourceVersion", "0"))
        self._reader: deque[Waiter] = deque()
        wire.streams.append(self)

    def begin(self, events: list[Event] | None) -> None:
        """Send what has happened since the client's last; None: nobody knows."""
        if events is None:
            self._lines.append((self._world.seconds + 0.001, 0, expired(), ""))
            return
        for event in events_of(self._watched, events):
            self.push(event)

    def bring(self, objects: list[Object], version: int) -> None:
        """Send what there is, and that this is all."""
        for obj in objects:
            self.push(Event(int(obj["metadata"]["resourceVersion"]), self._world.seconds, "ADDED", obj))
        self._lines.append((self._last, version, bookmark(self.plural, version, ends_initial_events=True), ""))

    def push(self, event: Event) -> None:
        """Something has changed."""
        if not self._watched(event.object) or event.version <= self._from:
            return  # of a storage that was set back a watch from a later version tells nothing until that is reached
        rng = self._world.rng
        lag = rng.uniform(0.2, MOST_LAG_SECONDS) if rng.random() < 0.1 else rng.uniform(0.001, 0.05)
        self._last = max(self._last, self._world.seconds + lag)
        line = self._world.readings.event(event.type, event.object)
        sent = (self._last, event.version, line, event.object["metadata"].get("uid", ""))
        self._lines.append(sent)
        if rng.random() < 0.03:
            self._lines.append(sent)
        self._wake()

    def hang(self, seconds: float) -> None:
        """What is told comes so much later, also what is under way."""
        self._lines = deque((at + seconds, *rest) for at, *rest in self._lines)
        self._last = max(self._last, self._world.seconds) + seconds

    def cut(self) -> None:
        """It breaks: what is under way is lost."""
        self._cut = True
        self._wake()

    def stream(self, amt: int | None = None, decode_content: bool = False) -> Iterator[bytes]:
        """As `HTTPResponse.stream`."""
        world = self._world
        bookmark_at, silent_from = world.seconds + _BOOKMARK_SECONDS, world.seconds
        while not self._over:
            if self._cut:
                raise ProtocolError("the watch is cut")
            now = world.seconds
            if self._lines and self._lines[0][0] <= now:
                _, version, line, uid = self._lines.popleft()
                silent_from = now
                if world.rng.random() < _HALF:
                    yield line[: len(line) // 2]
                    line = line[len(line) // 2 :]
                    self._sleep(world.rng.uniform(0.001, 0.05))
                    if self._cut:
                        raise ProtocolError("the watch is cut in the middle of an event")
                if version:
                    self._wire.told[self.plural] = max(version, self._wire.told.get(self.plural, 0))
                    self._wire.told_of.add(uid)
                yield line
                continue
            if now >= self._ends:
                return
            if now >= bookmark_at:
                bookmark_at = now + _BOOKMARK_SECONDS
                if not self._lines and world.server.version > self._from:
                    silent_from = now
                    yield bookmark(self.plural, world.server.version)
                continue
            if now - silent_from >= 80.0:
                raise ReadTimeoutError(None, "", "silent for too long")  # type: ignore[arg-type]
            next_line = self._lines[0][0] if self._lines else self._ends
            self._sleep(min(next_line, self._ends, bookmark_at) - now)

    def shutdown(self) -> None:
        """As `HTTPResponse.shutdown`."""
        self._over = True
        self._wake()

    def close(self) -> None:
        """As `HTTPResponse.close`."""
        self._over = True
        if self in self._wire.streams:
            self._wire.streams.remove(self)

    def _sleep(self, seconds: float) -> None:
        park(max(1e-6, seconds), self._reader)

    def _wake(self) -> None:
        while self._reader:
            wake(self._reader.popleft())
