"""Reads what stands behind the pods of a rendezvous, when a decision rests on it: one GET each, no watch.

Optional, as pods and nodes are: what may not be read, or is of a kind that the cluster does not know, is unknown, which
is said once a kind.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous_core import OwnerRef
from kube_rendezvous_operator.shell.watching.member_cache import Key

_log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
"""What was read counts for so long at the most, and until one of the pods changes."""

AGAIN_SECONDS = 3.0
"""What could not be read just now counts as unknown for so long: by then a busy API server may answer."""

REFUSED_SECONDS = 600.0
"""A kind that may not be read is tried again after so long: somebody may have given the right, or installed the API."""

_READ_SECONDS = 2.0  # nobody waits for an answer for longer than for a round
_REMEMBERED = 1000


Seen = TypeVar("Seen")


@dataclass(slots=True)
class _Known(Generic[Seen]):
    version: int
    until: float
    objects: dict[OwnerRef, Seen | None] = field(default_factory=dict)


class ObjectReader(ABC, Generic[Seen]):
    """Thread-safe: different rendezvous are read by different threads.

    Args:
        connection: to the API server.
    """

    collections: Mapping[str, tuple[str, str]]
    """Where each kind is: the API, and its plural there."""

    loss: str
    """What is said once of a kind (%s) that cannot be read, with why (%s)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, _Known[Seen]] = OrderedDict()
        self._refused: dict[str, float] = {}
        self._said: set[str] = set()

    def known(self, key: Key, version: int) -> Mapping[OwnerRef, Seen | None]:
        """What was read since the pods of that Rendezvous changed last.

        Args:
            key: of the Rendezvous.
            version: of its pods.
        """
        with self._lock:
            known = self._known.get(key)
            fresh = known is not None and known.version == version and time.monotonic() < known.until
            return dict(known.objects) if known is not None and fresh else {}

    def read(self, key: Key, version: int, refs: Iterable[OwnerRef]) -> None:
        """Read these; afterwards `known` has each of them.

        Args:
            key: of the Rendezvous.
            version: of its pods, from before.
            refs: which.
        """
        objects: dict[OwnerRef, Seen | None] = {}
        lasts = FRESH_SECONDS
        for ref in refs:
            try:
                objects[ref] = self._read(key, ref)
            except ApiFailureError as failure:
                _log.debug("%s of %s cannot be read now: %s", ref, key[0], failure)
                objects[ref], lasts = None, AGAIN_SECONDS
        with self._lock:
            known = self._known.pop(key, None)
            if known is None or known.version != version or time.monotonic() >= known.until:
                known = _Known(version, time.monotonic() + FRESH_SECONDS)
            known.objects |= objects
            known.until = min(known.until, time.monotonic() + lasts)
            self._known[key] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    @abstractmethod
    def _parse(self, ref: OwnerRef, obj: Mapping[str, Any], run: str) -> Seen:
        """Read one as the API server shows it."""

    @abstractmethod
    def _gone(self, ref: OwnerRef) -> Seen | None:
        """What one that does not exist means."""

    def _read(self, key: Key, ref: OwnerRef) -> Seen | None:
        """Read one; None: it may not be, or makes no sense.

        Raises:
            ApiFailureError: it may be another time.
        """
        namespace, run = key
        with self._lock:
            if time.monotonic() < self._refused.get(ref.kind, 0.0):
                return None
        api, plural = self.collections[ref.kind]
        path = f"{api}/namespaces/{namespace}/{plural}/{ref.name}"
        try:
            return self._parse(ref, self._connection.request("GET", path, timeout=_READ_SECONDS), run)
        except ApiRefusedError as failure:
            # The name tells it from a version or kind that the API group does not have, which is NotFound as well.
            if failure.status == 404 and f'"{ref.name}" not found' in failure.message:
                return self._gone(ref)
            self._refuse(ref.kind, failure)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            _log.warning("%s of %s cannot be understood: %r", ref, namespace, error)
        return None

    def _refuse(self, kind: str, failure: ApiFailureError) -> None:
        with self._lock:
            self._refused[kind] = time.monotonic() + REFUSED_SECONDS
            first = kind not in self._said
            self._said.add(kind)
        if first:
            _log.warning(self.loss, kind, failure)
