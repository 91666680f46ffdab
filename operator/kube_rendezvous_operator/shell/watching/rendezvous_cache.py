"""The newest version of each Rendezvous: from kopf's events, and from the answers to our own writes."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kube_rendezvous.resources import Rendezvous, RendezvousStatus, parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import carried_over
from kube_rendezvous_operator.shell.watching.member_cache import Key

_GONE_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class KnownRendezvous:
    """One object as the core sees it: nothing is kept of what people may write into it without a bound."""

    rendezvous: Rendezvous


class RendezvousCache:
    """Never goes back: an event that is older than the answer to our own write changes nothing, and the answer to a
    write that was under way when the object was deleted does not raise it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, KnownRendezvous] = {}
        self._gone: OrderedDict[str, float] = OrderedDict()  # since when

    def get(self, key: Key) -> KnownRendezvous | None:
        """The newest version; None if there is none, as far as we know."""
        with self._lock:
            return self._known.get(key)

    def put(self, raw: dict[str, Any], names: RendezvousStatus | None = None) -> bool:
        """Take a version; return whether it was news.

        Args:
            raw: as the API server shows it.
            names: a status whose names it may have in its slices: what we have just written.

        Raises:
            KeyError, ValueError, TypeError: the object does not follow the CRD.
        """
        rendezvous = parse_rendezvous(raw)
        key = (rendezvous.namespace, rendezvous.name)
        with self._lock:
            if rendezvous.uid in self._gone:
                return False
            known = self._known.get(key)
            if known is not None and known.rendezvous.uid == rendezvous.uid:
                rendezvous = _named(rendezvous, known.rendezvous.status)
                newer = int(rendezvous.resource_version) - int(known.rendezvous.resource_version)
                if newer < 0:
                    return False
                if newer == 0:
                    if names is not None:
                        self._known[key] = KnownRendezvous(_named(known.rendezvous, names))
                    return False
            self._known[key] = KnownRendezvous(rendezvous if names is None else _named(rendezvous, names))
            return True

    def read(self, rendezvous: Rendezvous) -> None:
        """The names in the slices of this version have been read."""
        key = (rendezvous.namespace, rendezvous.name)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.rendezvous.uid == rendezvous.uid:
                self._known[key] = KnownRendezvous(_named(known.rendezvous, rendezvous.status))

    def remove(self, key: Key, uid: str) -> bool:
        """Forget an object that is gone; return whether it was known.

        Args:
            key: under which it was.
            uid: of the object that whoever says so has asked for: a successor may have come before the answer did.
        """
        with self._lock:
            self._gone.setdefault(uid, time.monotonic())
            if len(self._gone) > _GONE_REMEMBERED:
                self._gone.popitem(last=False)
            known = self._known.get(key)
            if known is None or known.rendezvous.uid != uid:
                return False
            del self._known[key]
            return True

    def was_gone(self, uid: str, when: float) -> bool:
        """Whether it was known at that time, on the monotonic clock, that the object of this UID is none any more."""
        with self._lock:
            return self._gone.get(uid, math.inf) < when

    def keep_only(self, there: Collection[str], known: Mapping[str, Key]) -> list[Key]:
        """Forget who is missing from a list; return the keys of those that are forgotten.

        Args:
            there: the UIDs in the list.
            known: `uids` of before it was asked for: who came meanwhile may be missing from it.
        """
        return [key for uid, key in known.items() if uid not in there and self.remove(key, uid)]

    def uids(self) -> dict[str, Key]:
        """Of all that are known."""
        with self._lock:
            return {known.rendezvous.uid: key for key, known in self._known.items()}

    def all_keys(self) -> list[Key]:
        """All that are known."""
        with self._lock:
            return list(self._known)


def _named(rendezvous: Rendezvous, known: RendezvousStatus) -> Rendezvous:
    status = carried_over(rendezvous.status, known)
    return rendezvous if status is rendezvous.status else replace(rendezvous, status=status)
