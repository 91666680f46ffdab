"""Says in the log that requests of one kind fail: when it begins, every half minute that it goes on, and its end."""

import logging
import time

_log = logging.getLogger(__name__)

_REPEAT_SECONDS = 30.0


class TroubleReport:
    """The log of one kind of request. Not thread-safe: one for each loop.

    Args:
        what: does not work or works again: ``the heartbeat of Rendezvous ns/name``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0
        self._said_at: float | None = None

    def failed(self, why: str, *, at_once: bool) -> None:
        """One more has failed.

        Args:
            why: what to say.
            at_once: a first failure is said, too; else the second in a row is the first to be worth a word.
        """
        self._failures += 1
        now = time.monotonic()
        if self._said_at is None and not at_once and self._failures < 2:
            _log.debug("%s: %s", self._what, why)
        elif self._said_at is None or now - self._said_at >= _REPEAT_SECONDS:
            self._said_at = now
            _log.warning("%s: %s", self._what, why)

    def works(self) -> None:
        """One has succeeded."""
        if self._said_at is not None:
            _log.info("%s works again", self._what)
        self._failures, self._said_at = 0, None
