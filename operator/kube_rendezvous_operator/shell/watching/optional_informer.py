"""A watch that may be refused: the operator works without it, and says once what it lacks."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection, KeptThread
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.printable_text import printable
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements, Unmeasured
from kube_rendezvous_operator.shell.watching.slim_objects import slim_object

_log = logging.getLogger(__name__)

_UNREADABLE_REMEMBERED = 1000

REFUSED_PAUSE_SECONDS = 600.0
"""The longest pause before we ask again for what we may not see: within a minute of the start a right may just not have
got through yet; after that a person has to act."""

_Seen = TypeVar("_Seen")


class OptionalInformer:
    """A watch that may be refused. Those that inherit listen (`WatchListener`), and say what they watch.

    Args:
        connection: to the API server.
        path, selector: of what is watched.
        name: of the thread.
        measure: told what is to be counted.
    """

    what: str
    loss: str
    allow: str
    """What a person does to let us see them."""

    def __init__(
        self, connection: Connection, path: str, selector: dict[str, str], name: str, measure: Measurements | None
    ) -> None:
        self._lock = threading.Lock()
        self._said_refused = False
        self._unreadable: OrderedDict[str, None] = OrderedDict()
        self.refused = False
        """Whether we may not see them."""
        self.synced = threading.Event()
        self.settled = threading.Event()
        """Set when they are known, or the API server has said that they cannot be."""
        report = partial((measure or Unmeasured()).watch_restarted, self.what.lower())
        self._watcher = Watcher(
            connection,
            path,
            selector,
            self,  # type: ignore[arg-type]
            name=name,
            refused_limit=REFUSED_PAUSE_SECONDS,
            on_restart=report,
            paged=True,
            slim=slim_object,
        )

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    @property
    def thread(self) -> KeptThread:
        """That watches."""
        return self._watcher.thread

    def stop(self, timeout: float = 2.0) -> None:
        """End the watch; wait for its thread so many seconds at the most. May be called again."""
        self._watcher.stop(timeout)

    def connected(self) -> None:
        """See `WatchListener`."""

    def troubled(self, failure: ApiFailureError) -> None:
        """See `WatchListener`."""
        refused = isinstance(failure, ApiRefusedError)
        if refused and not self.synced.is_set() and not self.refused:
            self.refused = True
            self.refusal_changed()
        if refused:
            self.settled.set()
        if refused and not self._said_refused and self.is_news(failure):
            self._said_refused = True
            text = "%s cannot be watched, so %s: %s. %s; we ask again after %.0f minutes at the latest"
            _log.warning(text, self.what, self.loss, failure, self.allow, REFUSED_PAUSE_SECONDS / 60)

    def is_news(self, refusal: ApiFailureError) -> bool:
        """Whether this refusal is worth a line."""
        return True

    def refusal_changed(self) -> None:
        """`refused` has changed."""

    def readable(self, obj: Object, read: Callable[[Object], _Seen]) -> _Seen | None:
        """What is read of it; None, which is said once, if it cannot be: one must not blind us for all others."""
        try:
            return read(obj)
        except Exception as error:
            meta = obj["metadata"]
            if meta["uid"] not in self._unreadable:
                self._unreadable[meta["uid"]] = None
                if len(self._unreadable) > _UNREADABLE_REMEMBERED:
                    self._unreadable.popitem(last=False)
                name, text = f"{meta.get('namespace', '')}/{meta['name']}", printable(repr(error))[:300]
                _log.error("One of the %s, %s, cannot be read and is ignored: %s", self.what.lower(), name, text)
            return None

    def are_known(self) -> None:
        """To be called with each list."""
        self.refused = False
        self.synced.set()
        self.settled.set()
