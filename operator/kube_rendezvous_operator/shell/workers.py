"""The threads that take due keys from the queue and reconcile them."""

import logging
import threading

from kube_rendezvous.cluster import ApiFailureError, Backoff
from kube_rendezvous_operator.shell.member_cache import Key
from kube_rendezvous_operator.shell.reconciler import OvertakenError, Reconciler
from kube_rendezvous_operator.shell.wake_queue import WakeQueue

_log = logging.getLogger(__name__)

# Of a large storm of joins each changes the picture: deciding takes at most a third of the time.
_REST_PER_DECISION = 2.0
_LONGEST_REST = 0.1


class Workers:
    """Several threads over one queue; a key is handled by one of them at a time."""

    def __init__(self, queue: WakeQueue[Key], reconciler: Reconciler, count: int) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._backoffs: dict[Key, Backoff] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"reconcile-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after what is under way, two seconds at the most."""
        self._queue.close()
        for thread in self._threads:
            thread.join(2.0)

    def _run(self) -> None:
        while (key := self._queue.take()) is not None:
            rest = 0.0
            try:
                self._handle(key)
                rest = min(_LONGEST_REST, _REST_PER_DECISION * self._reconciler.decide_seconds)
            finally:
                self._queue.done(key, rest)

    def _handle(self, key: Key) -> None:
        try:
            wake_after = self._reconciler.reconcile(key)
            self._backoffs.pop(key, None)
            if wake_after is not None:
                self._queue.wake(key, wake_after)
        except OvertakenError:
            self._queue.wake(key, self._backoff(key).next_delay())
        except ApiFailureError as failure:
            pause = self._backoff(key).next_delay(failure.retry_after)
            _log.warning("Rendezvous %s/%s: tried again in %.1f s: %s", *key, pause, failure)
            self._queue.wake(key, pause)
        except Exception:  # one bad object must not stop the others
            pause = self._backoff(key).next_delay()
            _log.exception("Rendezvous %s/%s could not be reconciled; tried again in %.1f s", *key, pause)
            self._queue.wake(key, pause)

    def _backoff(self, key: Key) -> Backoff:
        return self._backoffs.setdefault(key, Backoff(first=0.01, limit=5.0))
