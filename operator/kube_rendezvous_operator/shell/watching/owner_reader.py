"""Reads what makes the pods of a rendezvous, when a decision rests on it: one GET each, no watch.

Optional, as pods and nodes are: what may not be read, or is of a kind that the cluster does not know, is unknown, which
is said once a kind.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous_core import ObservedOwner, OwnerRef
from kube_rendezvous_core.observed.owner_reading import COLLECTIONS, read_owner
from kube_rendezvous_operator.shell.watching.member_cache import Key

_log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
"""What was read counts for so long at the most, and until one of the pods changes."""

REFUSED_SECONDS = 600.0
"""A kind that may not be read is tried again after so long: somebody may have given the right, or installed the API."""

_READ_SECONDS = 2.0  # nobody waits for an answer for longer than for a round
_REMEMBERED = 1000


@dataclass(slots=True)
class _Known:
    version: int
    until: float
    owners: dict[OwnerRef, ObservedOwner | None] = field(default_factory=dict)


class OwnerReader:
    """Thread-safe: different rendezvous are read by different threads.

    Args:
        connection: to the API server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, _Known] = OrderedDict()
        self._refused: dict[str, float] = {}
        self._said: set[str] = set()

    def known(self, key: Key, version: int) -> Mapping[OwnerRef, ObservedOwner | None]:
        """What was read since the pods of that Rendezvous changed last.

        Args:
            key: of the Rendezvous.
            version: of its pods.
        """
        with self._lock:
            known = self._known.get(key)
            fresh = known is not None and known.version == version and time.monotonic() < known.until
            return dict(known.owners) if known is not None and fresh else {}

    def read(self, key: Key, version: int, refs: Iterable[OwnerRef]) -> None:
        """Read these; afterwards `known` has each of them.

        Args:
            key: of the Rendezvous.
            version: of its pods, from before.
            refs: what made them.
        """
        owners = {ref: self._read(key, ref) for ref in refs}
        with self._lock:
            known = self._known.pop(key, None)
            if known is None or known.version != version or time.monotonic() >= known.until:
                known = _Known(version, time.monotonic() + FRESH_SECONDS)
            known.owners |= owners
            self._known[key] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _read(self, key: Key, ref: OwnerRef) -> ObservedOwner | None:
        namespace, run = key
        with self._lock:
            if time.monotonic() < self._refused.get(ref.kind, 0.0):
                return None
        api, plural = COLLECTIONS[ref.kind]
        path = f"{api}/namespaces/{namespace}/{plural}/{ref.name}"
        try:
            return read_owner(ref, self._connection.request("GET", path, timeout=_READ_SECONDS), run)
        except ApiRefusedError as failure:
            if failure.status == 404 and failure.reason == "NotFound":
                return ObservedOwner(ref, size=0, wanted=0, how="it is gone")
            self._refuse(ref.kind, failure)
        except ApiFailureError as failure:
            _log.debug("%s of %s cannot be read now: %s", ref, namespace, failure)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            _log.warning("%s of %s cannot be understood: %r", ref, namespace, error)
        return None

    def _refuse(self, kind: str, failure: ApiFailureError) -> None:
        with self._lock:
            self._refused[kind] = time.monotonic() + REFUSED_SECONDS
            first = kind not in self._said
            self._said.add(kind)
        if first:
            text = "What makes pods, if it is a %s, cannot be read, so that nobody knows how many it is yet to make: %s"
            _log.warning(text, kind, failure)
