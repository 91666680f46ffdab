"""All rendezvous of a namespace or of the cluster, by one watch."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path
from kubectl_rendezvous.dashboard.feed import Feed
from kubectl_rendezvous.dashboard.views import list_view
from kubectl_rendezvous.reading import Reader, in_words, read_rendezvous
from kubectl_rendezvous.watched_collection import WatchedCollection

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.2
"""Between two views: what changes in between comes together."""


class FollowedList:
    """The list and its feed.

    Args:
        reader: of the namespace.
        everywhere: of all namespaces instead.
    """

    def __init__(self, reader: Reader, *, everywhere: bool) -> None:
        self.feed = Feed()
        self.scope = "all namespaces" if everywhere else f"namespace {reader.namespace}"
        self._reader = reader
        self._over = threading.Event()
        self._news = threading.Event()
        self._names_changed = threading.Condition()
        self._names: frozenset[tuple[str, str]] = frozenset()
        self._rendezvous = WatchedCollection(self._news)
        path = collection_path(RENDEZVOUS_PLURAL, None if everywhere else reader.namespace)
        self._watcher = Watcher(reader.connection, path, {}, self._rendezvous, name=f"watch of {path}")

    def start(self, seconds: float) -> None:
        """Begin, and wait for the first view.

        Raises:
            CommandError: the API server refuses, or did not answer in time.
        """
        self._watcher.start()
        while not self._rendezvous.complete:
            news = self._news.wait(seconds)
            self._news.clear()
            if self._rendezvous.refused is not None:
                raise in_words(self._rendezvous.refused, self._reader.namespace)
            if not news or self._rendezvous.trouble:
                # Asked once more, for the words that every command has for this.
                self._reader.raw_rendezvous(everywhere=self.scope == "all namespaces")
        self._publish()
        threading.Thread(target=self._run, name="list", daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self._news.set()
        self._watcher.stop()

    def wait_for(self, namespace: str, name: str, over: Callable[[], bool], seconds: float) -> bool:
        """Wait until there is such a Rendezvous, that long at the most, or until ``over``."""
        with self._names_changed:
            self._names_changed.wait_for(lambda: over() or (namespace, name) in self._names, seconds)
            return (namespace, name) in self._names

    def _run(self) -> None:
        while not self._over.is_set():
            self._news.wait()
            self._news.clear()
            try:
                self._publish()
            except Exception as error:  # a thread that died here would leave a page that looks alive
                _log.exception("The dashboard met something unexpected in the list")
                self.feed.publish(list_view((), self.scope, datetime.now(UTC), f"it cannot be shown: {error!r}"))
            self._over.wait(_PAUSE_SECONDS)

    def _publish(self) -> None:
        seen = [read_rendezvous(obj) for obj in self._rendezvous.objects]
        with self._names_changed:
            self._names = frozenset((s.rendezvous.namespace, s.rendezvous.name) for s in seen)
            self._names_changed.notify_all()
        self.feed.publish(list_view(seen, self.scope, datetime.now(UTC), self._rendezvous.trouble))
