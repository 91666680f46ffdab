"""The newest view of something, made by one thread and waited for by any number of browsers."""

import threading
from collections.abc import Callable

from kubectl_rendezvous.dashboard.views import View


class Feed:
    """The newest view. Thread-safe. Nothing is queued: a slow browser skips what it was too slow for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._view: View | None = None
        self._version = 0

    def publish(self, view: View) -> None:
        """Replace the view."""
        with self._changed:
            self._view, self._version = view, self._version + 1
            self._changed.notify_all()

    def wait(self, version: int, seconds: float) -> tuple[int, View | None]:
        """Wait for a view that is not this version, that long at the most.

        Args:
            version: 0 for whoever has none.

        Returns:
            Version and view; None if there is none, or no other one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, seconds)
            return self._version, self._view if self._version != version else None


class Feeds:
    """One thread for what any number of browsers look at; it ends with the last of them.

    Args:
        follow: called in that thread with key, feed and an event: publishes views until the event is set.
    """

    def __init__(self, follow: Callable[[str, str, Feed, threading.Event], None]) -> None:
        self._follow = follow
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], tuple[Feed, threading.Event, int]] = {}

    def enter(self, namespace: str, name: str) -> Feed:
        """Begin to look at one Rendezvous; `leave` it afterwards."""
        key = namespace, name
        with self._lock:
            feed, over, lookers = self._running.get(key) or self._start(key)
            self._running[key] = feed, over, lookers + 1
            return feed

    def leave(self, namespace: str, name: str) -> None:
        """End to look at it."""
        key = namespace, name
        with self._lock:
            feed, over, lookers = self._running[key]
            if lookers > 1:
                self._running[key] = feed, over, lookers - 1
            else:
                del self._running[key]
                over.set()

    def _start(self, key: tuple[str, str]) -> tuple[Feed, threading.Event, int]:
        feed, over = Feed(), threading.Event()
        thread = threading.Thread(target=self._follow, args=(*key, feed, over), name=f"following {key}", daemon=True)
        thread.start()
        return feed, over, 0
