"""The threads that take due keys from the queue and reconcile them."""

import logging
import threading
import time

from kube_rendezvous.cluster import ApiFailureError, Backoff, KeptThread
from kube_rendezvous_operator.shell.leading.leader_election import NotLeadingError
from kube_rendezvous_operator.shell.monitoring.log_reference import about_rendezvous
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements, Unmeasured
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses
from kube_rendezvous_operator.shell.reconciling.reconciler import OvertakenError, Reconciler
from kube_rendezvous_operator.shell.reconciling.wake_queue import WakeQueue
from kube_rendezvous_operator.shell.watching.member_cache import Key

_log = logging.getLogger(__name__)

# Of a large storm of joins each changes the picture: deciding takes at most a third of the time.
_REST_PER_DECISION = 2.0
_LONGEST_REST = 0.1
_NOT_LEADING_PAUSE = 0.2


class Workers:
    """Several threads over one queue; a key is handled by one of them at a time.

    Args:
        queue: of keys.
        reconciler: what is done with them.
        count: of threads.
        measure: told how long each took.
        pulses: told that the threads go on.
    """

    def __init__(
        self,
        queue: WakeQueue[Key],
        reconciler: Reconciler,
        count: int,
        measure: Measurements | None = None,
        pulses: Pulses | None = None,
    ) -> None:
        self._measure = measure or Unmeasured()
        self._pulses = pulses or Pulses()
        self._queue = queue
        self._reconciler = reconciler
        self._backoffs: dict[Key, Backoff] = {}
        self.threads = [KeptThread(f"reconcile-{number}", self._run) for number in range(count)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self.threads:
            thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End after what is under way, ``timeout`` seconds at the most."""
        self._queue.close()
        end = time.monotonic() + timeout
        for thread in self.threads:
            thread.end()
        for thread in self.threads:
            thread.join(end - time.monotonic())

    def _run(self) -> None:
        while (key := self._queue.take()) is not None:
            rest = 0.0
            name = threading.current_thread().name
            self._pulses.beat(name)
            began = time.perf_counter()
            try:
                self._handle(key)
                rest = min(_LONGEST_REST, _REST_PER_DECISION * self._reconciler.decide_seconds)
            finally:
                self._pulses.end(name)
                self._queue.done(key, rest)
            self._measure.reconciled(time.perf_counter() - began)
            self._thread_of(name).turn()

    def _thread_of(self, name: str) -> KeptThread:
        return next(thread for thread in self.threads if thread.name == name)

    def _handle(self, key: Key) -> None:
        try:
            wake_after = self._reconciler.reconcile(key)
            self._backoffs.pop(key, None)
            if wake_after is not None:
                self._queue.wake(key, wake_after)
        except NotLeadingError:
            self._queue.wake(key, _NOT_LEADING_PAUSE)  # the lease may yet be renewed; if it is lost, the process ends
        except OvertakenError:
            self._queue.wake(key, self._backoff(key).next_delay())
        except ApiFailureError as failure:
            pause = self._backoff(key).next_delay(failure.retry_after)
            extra = about_rendezvous(key)
            _log.warning("Rendezvous %s/%s: tried again in %.1f s: %s", *key, pause, failure, extra=extra)
            self._queue.wake(key, pause)
        except Exception:  # one bad object must not stop the others
            pause = self._backoff(key).next_delay()
            extra = about_rendezvous(key)
            _log.exception("Rendezvous %s/%s could not be reconciled; tried again in %.1f s", *key, pause, extra=extra)
            self._queue.wake(key, pause)

    def _backoff(self, key: Key) -> Backoff:
        return self._backoffs.setdefault(key, Backoff(first=0.01, limit=5.0))
