"""The thread that drives a `WatchProtocol` over a `Connection`, for ever, through every failure."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from kube_rendezvous.cluster.backoff import Backoff
from kube_rendezvous.cluster.connection import Connection, ResponseStream
from kube_rendezvous.cluster.failures import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.initial_events import knows_no_initial_events, never_ask_for_initial_events
from kube_rendezvous.cluster.kept_thread import KeptThread
from kube_rendezvous.cluster.watch_protocol import (
    SILENCE_SECONDS,
    Changed,
    Listed,
    ListRequest,
    MalformedAnswerError,
    Object,
    Removed,
    WatchProtocol,
)
from kube_rendezvous.signal_proof import Flag, new_lock

_log = logging.getLogger(__name__)

SHORT_SECONDS = 5.0
"""A watch that has lived for less has failed, however it ended: the API server asks for no pause, and where every watch
ends so, one would follow the other as fast as they can be opened."""

_TOO_SHORT = "the watch ended as soon as it began: does a proxy or a load balancer in between cut long answers?"
_FOREIGN = "an answer that is no API server's: does a proxy or a load balancer answer in its place?"


_LONGEST_TURN = SILENCE_SECONDS + 60.0
"""Seconds from one line, or one request, to the next."""


class WatchListener(Protocol):
    """What a watcher tells, always from its own thread."""

    def relisted(self, objects: list[Object]) -> None:
        """Every object there is: what is not among them is gone."""

    def changed(self, obj: Object) -> None:
        """An object was added or modified."""

    def removed(self, obj: Object) -> None:
        """An object was deleted; this is its last version."""

    def troubled(self, failure: ApiFailureError) -> None:
        """A list or a watch failed; it will be tried again."""

    def connected(self) -> None:
        """The watch has (again) a connection that delivers."""


class Watcher:
    """Keeps a listener informed about one collection. Relisting is normal and never an error.

    Args:
        connection: to the API server.
        path: of the collection.
        selector: ``fieldSelector`` or ``labelSelector``.
        listener: told everything.
        name: of the thread.
        retry_limit: longest pause between two tries, seconds.
        refused_limit: the same where we lack the right (403): asking does not help; None: as `retry_limit`.
        short: see `SHORT_SECONDS`.
        on_restart: told why a list or a watch is made anew: ended (by the server's time limit, or silent for too long;
            normal), expired (normal), refused, broken.
        paged, slim: as in `WatchProtocol`.
        hold_seconds: how long the first watch waits after the first list, unless `go_on` is called: who writes in
            between does so over the same connection.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        selector: Mapping[str, str],
        listener: WatchListener,
        *,
        name: str,
        retry_limit: float = 3.0,
        refused_limit: float | None = None,
        short: float = SHORT_SECONDS,
        on_restart: Callable[[str], None] | None = None,
        paged: bool = False,
        slim: Callable[[Object], Object] = lambda obj: obj,
        hold_seconds: float = 0.0,
    ) -> None:
        self._hold_seconds = hold_seconds
        self._held = Flag()
        self._on_restart = on_restart
        self._short = short
        self._connection = connection
        self._path = path
        self._what = f"GET {path} (watch)"
        self._protocol = WatchProtocol(selector, paged=paged, slim=slim)
        self._listener = listener
        self._backoff = Backoff(limit=retry_limit)
        self._refused_backoff = Backoff(limit=refused_limit or retry_limit)
        self.list_began = math.inf
        """When the newest list was asked for, on the monotonic clock: it cannot know what came later."""
        self._began, self._lived = 0.0, False  # the step under way; whether its watch has begun
        self._stop = Flag()
        self._anew = False
        self._stream: ResponseStream | None = None
        self._stream_lock = new_lock()
        self.thread = KeptThread(name, self._run)
        """Lists and watches, and tells the listener."""

    def start(self, *, streams_first: bool = False) -> None:
        """Start the thread.

        Args:
            streams_first: begin with a watch that brings what there is, at once: one request less. What it brings is
                told as changed, and then once more as relisted.
        """
        if streams_first:
            self._protocol.streams_first = not knows_no_initial_events(self._connection)
            self._held.set()
        self.thread.start()

    def go_on(self) -> None:
        """Begin to watch, if that is still held up."""
        self._held.set()

    def begin_anew(self) -> None:
        """List again, at once: what was told is not so any more. From any thread."""
        self._anew = True
        with self._stream_lock:
            if self._stream is not None:
                self._stream.interrupt()

    def stop(self, timeout: float = 2.0) -> None:
        """End the thread and wait for it, `timeout` seconds at the most. Safe to call twice, and from itself."""
        self._stop.set()
        self._held.set()
        self.thread.end()
        with self._stream_lock:
            if self._stream is not None:
                self._stream.interrupt()
        self.thread.join(timeout)

    @property
    def version(self) -> str | None:
        """As of `WatchProtocol`: the listener may not have come to the end of the event of this version yet."""
        return self._protocol.version

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began, self._lived = time.monotonic(), False
            try:
                if self._anew:
                    self._anew = False
                    self._protocol.expired()
                self._step()
            except ApiFailureError as failure:
                self._recover(failure)
            except MalformedAnswerError as error:
                self._protocol.expired()
                self._recover(ApiUnavailableError(self._what, 200, "", f"{_FOREIGN} ({error})"))
            except Exception as error:  # a thread that died here would leave its listener blind for ever
                _log.exception("The watch of %s met something unexpected; it starts anew", self._path)
                self._protocol.expired()
                self._recover(ApiUnavailableError(self._what, 0, "", repr(error)))

    def _recover(self, failure: ApiFailureError) -> None:
        if self._stop.is_set() or self._anew:
            return
        if failure.status in (404, 410):  # not served at the moment: when it is again, nothing is as it was
            self._protocol.expired()
        self._report(_reason(failure))
        _log.debug("Watch of %s: %s", self._path, failure)
        self._listener.troubled(failure)
        # A watch that has lived has not waited in vain: only what hung before it began counts.
        spent = 0.0 if self._lived else time.monotonic() - self._began
        backoff = self._refused_backoff if isinstance(failure, ApiRefusedError) else self._backoff
        pause = backoff.next_delay(failure.retry_after, spent=spent)
        self.thread.turn(within=pause + _LONGEST_TURN)
        self._stop.wait(pause)

    def _step(self) -> None:
        """One list, or one watch from its beginning to its end."""
        request = self._protocol.next_request()
        self.thread.turn(within=_LONGEST_TURN)
        if isinstance(request, ListRequest):
            if "continue" not in request.query:
                self.list_began = time.monotonic()
            sizes: list[int] = []
            answer = self._connection.request("GET", self._path, query=request.query, told_size=sizes.append)
            everything = self._protocol.listed(answer, sum(sizes))
            if everything is not None:
                self._listener.relisted(everything)
            return
        if self._hold_seconds and not self._held.is_set():
            self._held.wait(self._hold_seconds)
            self._held.set()
            if self._stop.is_set():
                return
        began = time.monotonic()
        try:
            stream = self._connection.stream(self._path, query=request.query, silence=SILENCE_SECONDS)
        except ApiRefusedError as refusal:
            if not self._protocol.brings_all:
                raise
            # The list works, or says better what is in the way.
            _log.debug("No watch of %s that begins with what there is: %s", self._path, refusal)
            if refusal.status == 422:
                never_ask_for_initial_events(self._connection)
            self._protocol.expired()
            return
        with self._stream_lock:
            self._stream = stream
        try:
            if self._stop.is_set() or self._anew:
                return
            self._lived = True
            self._listener.connected()
            for line in stream.lines():
                if self._stop.is_set() or self._anew:
                    return
                self._deliver(line)
                self.thread.turn(within=_LONGEST_TURN)
                if self._protocol.must_list:
                    raise ApiUnavailableError(self._what, 410, "Expired", line.decode(errors="replace"))
            if time.monotonic() - began < self._short and not (self._stop.is_set() or self._anew):
                raise ApiUnavailableError(self._what, 200, "", _TOO_SHORT)
            self._report("ended")
        finally:
            if time.monotonic() - began >= self._short:
                self._backoff.reset()
                self._refused_backoff.reset()
            with self._stream_lock:
                self._stream = None
            stream.close()

    def _report(self, reason: str) -> None:
        if self._on_restart is not None and not self._stop.is_set():
            self._on_restart(reason)

    def _deliver(self, line: bytes) -> None:
        event = self._protocol.line(line)
        if isinstance(event, Changed):
            self._listener.changed(event.object)
        elif isinstance(event, Removed):
            self._listener.removed(event.object)
        elif isinstance(event, Listed):
            self._listener.relisted(event.objects)


def _reason(failure: ApiFailureError) -> str:
    if failure.status == 410:
        return "expired"
    return "refused" if isinstance(failure, ApiRefusedError) else "broken"
