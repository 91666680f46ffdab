"""The newest version of every object of one watch."""

import threading
from collections.abc import Mapping
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError


class WatchedCollection:
    """Told by a `Watcher` from its thread, asked from any other.

    Args:
        news: set after each change.

    Attributes:
        complete: whether all objects have been read once.
        refused: why the API server will not show them; None if it does.
        trouble: why what is known may be old; "" if it is not.
    """

    def __init__(self, news: threading.Event) -> None:
        self._news = news
        self._lock = threading.Lock()
        self._objects: dict[str, Mapping[str, Any]] = {}
        self.complete = False
        self.refused: ApiFailureError | None = None
        self.trouble = ""

    @property
    def objects(self) -> list[Mapping[str, Any]]:
        """All that there are now."""
        with self._lock:
            return list(self._objects.values())

    def relisted(self, objects: list[dict[str, Any]]) -> None:
        """See `WatchListener`, as for the others."""
        with self._lock:
            self._objects = {obj["metadata"]["uid"]: obj for obj in objects}
            self.complete, self.trouble, self.refused = True, "", None
        self._news.set()

    def changed(self, obj: dict[str, Any]) -> None:
        """It is there, as this."""
        with self._lock:
            self._objects[obj["metadata"]["uid"]] = obj
        self._news.set()

    def removed(self, obj: dict[str, Any]) -> None:
        """It is gone."""
        with self._lock:
            self._objects.pop(obj["metadata"]["uid"], None)
        self._news.set()

    def troubled(self, failure: ApiFailureError) -> None:
        """A list or a watch failed."""
        if isinstance(failure, ApiRefusedError):
            self.refused = failure
        self.trouble = failure.message or str(failure)
        self._news.set()

    def connected(self) -> None:
        """The watch delivers again."""
        self.trouble = ""
        self._news.set()
