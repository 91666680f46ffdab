"""Writes what is answered to those who wait with the eviction of a pod."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous.cluster.connection import STRATEGIC_MERGE_PATCH
from kube_rendezvous_core import EvictionAnswer
from kube_rendezvous_core.observed.eviction_reading import API, EVICTIONS, RESPONDER
from kube_rendezvous_operator.shell.watching.member_cache import Key

_log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
"""An answer that did not get through is given again after so long."""

REFUSED_SECONDS = 600.0
"""One that was refused: after so long, or when the Eviction has changed."""

_ANSWER_SECONDS = 2.0  # nobody waits with a round for longer
_REMEMBERED = 1000


class EvictionAnswerer:
    """Thread-safe. Each answer is fenced by the resourceVersion that it answers to.

    Args:
        connection: to the API server.
        permit: called before every write; raises if this process must not write (any more).
    """

    def __init__(self, connection: Connection, permit: Callable[[], None] = lambda: None) -> None:
        self._connection, self._permit = connection, permit
        self._lock = threading.Lock()
        self._rests: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def answer(self, key: Key, answers: Iterable[EvictionAnswer]) -> float | None:
        """Give them.

        Returns:
            Seconds until one must be given again; None: none.
        """
        again = [self._give(key, one) for one in answers]
        return min((seconds for seconds in again if seconds), default=None)

    def _give(self, key: Key, answer: EvictionAnswer) -> float | None:
        namespace, name = key[0], answer.eviction.name
        this = (namespace, name, answer.eviction.version)
        with self._lock:
            rest = self._rests.get(this, 0.0) - time.monotonic()
        if rest > 0:
            return rest
        self._permit()
        try:
            self._connection.request(
                "PATCH",
                f"{API}/namespaces/{namespace}/{EVICTIONS}/{name}/status",
                body=_body(answer),
                content_type=STRATEGIC_MERGE_PATCH,
                timeout=_ANSWER_SECONDS,
            )
        except ApiFailureError as failure:
            if failure.status in (404, 409):
                return None  # it has changed, or is gone: the watch tells
            refused = isinstance(failure, ApiRefusedError)
            _log.log(
                logging.WARNING if refused else logging.INFO,
                "Eviction %s/%s could not be answered (%s): %s",
                *(namespace, name, answer.message, failure),
            )
            return self._rest(this, REFUSED_SECONDS if refused else AGAIN_SECONDS)
        _log.info("Eviction %s/%s %s: %s", namespace, name, "done" if answer.completes else "heard", answer.message)
        self._rest(this, REFUSED_SECONDS)  # until its next version is seen
        return None

    def _rest(self, this: tuple[str, str, str], seconds: float) -> float:
        with self._lock:
            self._rests[this] = time.monotonic() + seconds
            if len(self._rests) > _REMEMBERED:
                self._rests.popitem(last=False)
        return seconds


def _body(answer: EvictionAnswer) -> dict[str, Any]:
    said: dict[str, Any] = {"name": RESPONDER, "heartbeatTime": _time(answer.at), "message": answer.message}
    if answer.completes:
        said["completionTime"] = said["heartbeatTime"]
    elif answer.expected is not None:
        said["expectedCompletionTime"] = _time(answer.expected)
    return {"metadata": {"resourceVersion": answer.eviction.version}, "status": {"responders": [said]}}


def _time(moment: datetime) -> str:
    """In whole seconds, rounded down, as `metav1.Time` has them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
