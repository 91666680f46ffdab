"""What a session sees of its Rendezvous: the newest version of it, and what is in the way of seeing it."""

import logging
import time
from collections.abc import Callable

from kube_rendezvous.cluster import ApiFailureError
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.membership.trouble_report import TroubleReport
from kube_rendezvous.resources import Rendezvous, parse_rendezvous
from kube_rendezvous.signal_proof import Changes

_log = logging.getLogger(__name__)


class Sight:
    """Listens to the watch. Its attributes are read with the lock held.

    Args:
        what: the Rendezvous, for messages.
        changed: guards all of this; notified of every change.
        on_seen, on_trouble: called with the lock held: there is another newest version; the watch has failed.

    Attributes:
        rendezvous: the newest version seen; None: there is none, or nothing was seen yet.
        listed: whether it is known if there is one.
        refusal: why it could not be read, since it last could.
        trouble: why the watch does not deliver right now.
        watched: whether it ever did.
    """

    def __init__(
        self, what: str, changed: Changes, on_seen: Callable[[], None], on_trouble: Callable[[], None]
    ) -> None:
        self.rendezvous: Rendezvous | None = None
        self.listed = self.watched = False
        self.refusal: ApiFailureError | None = None
        self.trouble: ApiFailureError | None = None
        self._what = what
        self._changed = changed
        self._on_seen = on_seen
        self._on_trouble = on_trouble
        self._report = TroubleReport(what)
        self._first_unobserved: float | None = None

    def unobserved_seconds(self) -> float:
        """For how long no operator has looked at the newest spec, as far as was seen; 0 if one has."""
        return 0.0 if self._first_unobserved is None else time.monotonic() - self._first_unobserved

    # WatchListener, called by the watcher's thread.

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        with self._changed.lock:
            self.listed = True
            self.trouble = self.refusal = None
            newest = self._read(objects[0]) if objects else None
            self.rendezvous = None  # a list is the newest there is: of a restored storage versions may be lower
            self._see(newest)

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        with self._changed.lock:
            self.listed = True
            self.refusal = None
            self._see(self._read(obj))

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        with self._changed.lock:
            if self.rendezvous is not None and self.rendezvous.uid == obj["metadata"]["uid"]:
                _log.warning("%s was deleted", self._what)
                self._see(None)

    def troubled(self, failure: ApiFailureError) -> None:
        """See `WatchListener`."""
        with self._changed.lock:
            self._on_trouble()
            if not self.listed:
                self._report.failed(f"it cannot be read yet: {failure}", at_once=True)
            elif self.trouble is None:
                _log.info("The watch of %s is cut: %s", self._what, failure)
            self.trouble = self.refusal = failure
            self._changed.notify_all()

    def connected(self) -> None:
        """See `WatchListener`."""
        with self._changed.lock:
            self.watched = True
            self.trouble = None

    def _read(self, obj: Object) -> Rendezvous:
        """What a watch has brought as a change it says once more when it has brought all there is."""
        known, meta = self.rendezvous, obj["metadata"]
        if known is not None and (known.uid, known.resource_version) == (meta.get("uid"), meta["resourceVersion"]):
            return known
        return parse_rendezvous(obj)

    def _see(self, rendezvous: Rendezvous | None) -> None:
        known = self.rendezvous
        if (
            rendezvous is not None
            and known is not None
            and rendezvous.uid == known.uid
            and int(rendezvous.resource_version) < int(known.resource_version)
        ):
            return  # our own POST's answer, overtaken by the watch
        self.rendezvous = rendezvous
        observed = rendezvous is None or rendezvous.status.observed_generation >= rendezvous.generation
        if observed:
            self._first_unobserved = None
        elif self._first_unobserved is None:
            self._first_unobserved = time.monotonic()
        self._on_seen()
        self._changed.notify_all()
