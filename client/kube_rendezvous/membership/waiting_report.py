"""Says in the log why a node still waits: each new reason once, and every half minute that nothing changed."""

import logging
import time

_log = logging.getLogger(__name__)

UNOBSERVED_SECONDS = 10.0
_REPEAT_SECONDS = 30.0

NO_OPERATOR = (
    "no operator has looked at it for {seconds:.0f} s: is the kube-rendezvous operator running and watching this "
    "namespace? (`kubectl get pods -A -l app.kubernetes.io/name=kube-rendezvous`)"
)


class WaitingReport:
    """The log of one wait.

    Args:
        what: whose wait, for example ``Rendezvous ns/name``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = self._last = time.monotonic()
        self._why = ""
        self._said_no_operator = False

    def update(self, why: str, unobserved_seconds: float, *, at_once: bool = False) -> None:
        """Tell the present reason; with ``at_once`` its first time is a warning already."""
        now = time.monotonic()
        if unobserved_seconds >= UNOBSERVED_SECONDS and not self._said_no_operator:
            self._said_no_operator = True
            _log.warning("%s: %s", self._what, NO_OPERATOR.format(seconds=unobserved_seconds))
        if why != self._why:
            self._why, self._last = why, now
            _log.log(logging.WARNING if at_once else logging.INFO, "%s: %s", self._what, why)
        elif now - self._last >= _REPEAT_SECONDS:
            self._last = now
            _log.warning("%s: still waiting after %.0f s: %s", self._what, now - self._since, why)

    def next_report(self, unobserved_seconds: float) -> float:
        """Seconds until there may be something to say without any change."""
        repeat = self._last + _REPEAT_SECONDS - time.monotonic()
        if 0 < unobserved_seconds < UNOBSERVED_SECONDS:
            repeat = min(repeat, UNOBSERVED_SECONDS - unobserved_seconds)
        return max(0.05, repeat)
