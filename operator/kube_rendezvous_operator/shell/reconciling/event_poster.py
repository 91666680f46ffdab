"""Posts Kubernetes Events beside the main work: late or lost ones must not hold up a round."""

import logging
import os
import queue
import socket
import threading
from collections import Counter
from datetime import UTC, datetime

from kube_rendezvous.cluster import ApiFailureError, Connection, KeptThread
from kube_rendezvous.resources import API_VERSION, RENDEZVOUS_KIND, Rendezvous
from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core import Announcement
from kube_rendezvous_operator.shell.monitoring.log_reference import about_rendezvous

_log = logging.getLogger(__name__)

_COMPONENT = "kube-rendezvous-operator"
_BACKLOG = 1000
_BACKLOG_OF_A_NAMESPACE = 200
_LONGEST_TURN = 60.0


class EventPoster:
    """A thread that posts Events, in order, each once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._instance = os.environ.get("POD_NAME") or socket.gethostname()
        self._waiting: queue.Queue[tuple[Rendezvous, Announcement, datetime] | None] = queue.Queue(_BACKLOG)
        self._lock = threading.Lock()
        self._of_namespace: Counter[str] = Counter()
        self.thread = KeptThread("event-poster", self._run)
        """Posts what waits."""

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Post what waits, ``timeout`` seconds at the most, and end."""
        self.thread.end()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self.thread.join(timeout)

    def post(self, rendezvous: Rendezvous, announcement: Announcement) -> None:
        """Queue an Event about a Rendezvous; drop it if very many wait, or many of its namespace."""
        with self._lock:
            room = self._of_namespace[rendezvous.namespace] < _BACKLOG_OF_A_NAMESPACE
            self._of_namespace[rendezvous.namespace] += room
        try:
            if room:
                self._waiting.put_nowait((rendezvous, announcement, datetime.now(UTC)))
        except queue.Full:
            self._one_less(rendezvous.namespace)
            room = False
        if not room:
            _log.warning("Too many Events wait; dropped: %s", announcement.message)

    def _one_less(self, namespace: str) -> None:
        with self._lock:
            self._of_namespace[namespace] -= 1
            if self._of_namespace[namespace] <= 0:
                del self._of_namespace[namespace]

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            self.thread.turn(within=_LONGEST_TURN)
            rendezvous, announcement, moment = item
            self._one_less(rendezvous.namespace)
            try:
                self._connection.request(
                    "POST",
                    f"/api/v1/namespaces/{rendezvous.namespace}/events",
                    body=self._event(rendezvous, announcement, moment),
                )
            except ApiFailureError as failure:
                extra = about_rendezvous((rendezvous.namespace, rendezvous.name))
                _log.warning("An Event could not be posted (%s): %s", failure, announcement.message, extra=extra)
            self.thread.turn()

    def _event(self, rendezvous: Rendezvous, announcement: Announcement, moment: datetime) -> dict[str, object]:
        return {
            "metadata": {"generateName": f"{rendezvous.name[:220]}.", "namespace": rendezvous.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": RENDEZVOUS_KIND,
                "namespace": rendezvous.namespace,
                "name": rendezvous.name,
                "uid": rendezvous.uid,
            },
            "type": str(announcement.severity),
            "reason": announcement.reason,
            "message": announcement.message[:1024],
            "action": "Reconcile",
            "eventTime": format_time(moment),
            "firstTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": 1,
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self._instance,
        }
