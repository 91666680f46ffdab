"""A write that is tried until it works, is refused, or its time is over."""

import time
from collections.abc import Callable
from typing import TypeVar

from kube_rendezvous.cluster import ApiFailureError, ApiUnavailableError, Backoff
from kube_rendezvous.cluster.connection import ANSWER_SECONDS
from kube_rendezvous.membership.trouble_report import TroubleReport

_Answer = TypeVar("_Answer")

_LEAST_ANSWER_SECONDS = 1.0


def persist(
    attempt: Callable[[float], _Answer],
    deadline: float,
    report: TroubleReport,
    *,
    pause: Callable[[float], bool],
    in_the_way: Callable[[ApiFailureError], str],
    passes: Callable[[ApiFailureError], bool],
    again: Callable[[], None],
) -> _Answer:
    """Try until it works; say what is in the way.

    Args:
        attempt: called with the seconds that it may wait for the answer.
        deadline: on the monotonic clock, seconds.
        report: of the trouble.
        pause: waits so many seconds; true: give up.
        in_the_way: the sentence for a failure.
        passes: whether a refusal is one that does not last.
        again: called before each further attempt.

    Raises:
        ApiRefusedError: it is refused.
        ApiUnavailableError: it did not work until the deadline.
    """
    backoff = Backoff()
    while True:
        began = time.monotonic()
        try:
            return attempt(max(_LEAST_ANSWER_SECONDS, min(ANSWER_SECONDS, deadline - began)))
        except ApiFailureError as failure:
            if not (isinstance(failure, ApiUnavailableError) or passes(failure)):
                raise
            seconds = backoff.next_delay(failure.retry_after, spent=time.monotonic() - began)
            if time.monotonic() + seconds >= deadline or pause(seconds):
                raise
            again()
            report.failed(f"{in_the_way(failure)}; trying again", at_once=True)
