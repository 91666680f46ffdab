"""The thread that keeps this process' claim to the Lease, and the permit that every write of a leader needs."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection, KeptThread
from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_operator.shell.leading.lease_protocol import LeaseProtocol, LeaseRecord, Pause, Read, Write
from kube_rendezvous_operator.shell.monitoring.log_reference import reference
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses

_log = logging.getLogger(__name__)

API_VERSION = "coordination.k8s.io/v1"
RELEASE_SECONDS = 0.5
_LONGEST_PAUSE = 10.0
_LONGEST_REQUEST = 10.0
PULSE = "the lease thread"


class NotLeadingError(Exception):
    """This process must not write: its Lease has run out or somebody else's. What was decided is forgotten."""


def boot_clock() -> float:
    """Seconds on a clock that goes on while this process is stopped and while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class LeaderElection:
    """Takes part in the election until it is stopped or has lost.

    Args:
        connection: to the API server.
        namespace, name: of the Lease; it is made if there is none.
        identity: unique among all candidates that ever were.
        lease_seconds: whole seconds after which others may take over from a silent leader.
        on_elected: called once, when this process leads, from the thread.
        on_lost: called once, when it led and somebody else does, from the thread.
        on_set_back: called in its place where the storage was restored from a backup.
        pulses: told that the thread lives.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        identity: str,
        lease_seconds: int,
        *,
        on_elected: Callable[[], None],
        on_lost: Callable[[], None],
        on_set_back: Callable[[], None],
        pulses: Pulses,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._lease = LeaseProtocol(identity, lease_seconds)
        self._on_elected, self._on_lost, self._on_set_back = on_elected, on_lost, on_set_back
        self._pulses = pulses
        self._stop = threading.Event()
        self._said = ""
        self._led = False
        self._extra = reference(API_VERSION, "Lease", namespace, name)
        self._timeout = min(_LONGEST_REQUEST, max(1.0, lease_seconds / 3))
        self.reached = threading.Event()
        """Set when the API server has answered for the first time."""
        self.thread = KeptThread("leader-election", self._run)
        """Reads and renews the Lease."""

    @property
    def leading(self) -> bool:
        """Whether this process leads now."""
        return self._lease.believes(boot_clock()) and not self._stop.is_set()

    @property
    def holder(self) -> str:
        """Whom the Lease named when it was last seen."""
        return self._lease.holder

    def permit(self) -> None:
        """Pass if this process leads at this moment.

        Raises:
            NotLeadingError: it does not.
        """
        if not self.leading:
            raise NotLeadingError

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Lead no more from now on; give the Lease back and end, ``timeout`` seconds at the most.

        To be called when nothing that was permitted is under way any more.
        """
        self.end_term()
        self.thread.join(timeout)
        release = None if self.thread.is_alive() else self._lease.release()
        if release is None:
            return
        try:
            self._write(release, RELEASE_SECONDS)
            _log.info("Lease %s/%s given back", self._namespace, self._name, extra=self._extra)
        except ApiFailureError as failure:
            _log.warning("The lease could not be given back, the next leader waits for its end: %s", failure)

    def end_term(self) -> None:
        """Permit nothing from now on; the Lease stays ours until `stop`."""
        self._stop.set()
        self.thread.end()

    def _run(self) -> None:
        _log.info(
            "Taking part in the election of a leader by lease %s/%s as %s",
            *(self._namespace, self._name, self._lease.identity),
            extra=self._extra,
        )
        while not self._stop.is_set() and not self._lease.lost:
            self._pulses.beat(PULSE)
            self.thread.turn()
            step = self._lease.next_step(boot_clock())
            if isinstance(step, Pause):
                self._stop.wait(min(step.seconds, _LONGEST_PAUSE))
                continue
            try:
                self._take(step)
                self._said = ""
            except ApiFailureError as failure:
                self._lease.failed(boot_clock())
                self._say_trouble(failure)
            self._tell()
        self._pulses.end(PULSE)

    def _take(self, step: Read | Write) -> None:
        if isinstance(step, Read):
            record = self._read()
            self.reached.set()
            before = self._lease.holder
            self._lease.read(record, boot_clock())
            if not self._lease.elected and self._lease.holder not in ("", before):
                _log.info("%s leads; this process stands by", self._lease.holder, extra=self._extra)
            return
        began = boot_clock()
        try:
            self._lease.written(self._write(step, self._timeout), began)
        except ApiFailureError as failure:
            if failure.status not in (404, 409) or (failure.status == 404 and not step.version):
                raise
            self._lease.refused(boot_clock())
        self.reached.set()

    def _tell(self) -> None:
        if self._lease.elected and not self._led:
            self._led = True
            _log.info("This process (%s) leads now", self._lease.identity, extra=self._extra)
            self._on_elected()
        if self._lease.set_back:
            self._on_set_back()
        elif self._lease.lost:
            who = self._lease.holder or "nobody"
            _log.error("The lease is lost, it names %s now: this process stops", who, extra=self._extra)
            self._on_lost()

    def _say_trouble(self, failure: ApiFailureError) -> None:
        """Once for each kind of trouble."""
        kind = f"{failure.status} {failure.reason}"
        if kind == self._said or self._stop.is_set():
            return
        self._said = kind
        advice = ""
        if isinstance(failure, ApiRefusedError):
            advice = (
                f". The operator's service account needs get, create and update on leases.coordination.k8s.io in "
                f"namespace {self._namespace}, which must exist"
            )
        _log.warning("No answer about the lease, tried again: %s%s", failure, advice, extra=self._extra)

    def _read(self) -> LeaseRecord | None:
        try:
            return _parse(self._connection.request("GET", f"{self._path}/{self._name}", timeout=self._timeout))
        except ApiFailureError as failure:
            if failure.status == 404:
                return None
            raise

    def _write(self, step: Write, timeout: float) -> LeaseRecord:
        now = format_time(datetime.now(UTC))
        spec = {
            "holderIdentity": step.holder,
            # A lease that was given back binds nobody.
            "leaseDurationSeconds": int(self._lease.lease_seconds) if step.holder else 1,
            "acquireTime": now if step.acquiring or not step.acquired else step.acquired,
            "renewTime": now,
            "leaseTransitions": step.transitions,
        }
        meta: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if step.version:
            meta["resourceVersion"] = step.version
        body = {"apiVersion": API_VERSION, "kind": "Lease", "metadata": meta, "spec": spec}
        method, path = ("PUT", f"{self._path}/{self._name}") if step.version else ("POST", self._path)
        return _parse(self._connection.request(method, path, body=body, timeout=timeout))

    @property
    def _path(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self._namespace}/leases"


def _parse(lease: dict[str, Any]) -> LeaseRecord:
    spec = lease.get("spec") or {}
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        seconds=float(spec.get("leaseDurationSeconds") or 1),
        transitions=int(spec.get("leaseTransitions") or 0),
        acquired=str(spec.get("acquireTime") or ""),
        renewed=str(spec.get("renewTime") or ""),
        version=str(lease["metadata"]["resourceVersion"]),
    )
