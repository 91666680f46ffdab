"""The threads that reconcile: one bad object stops neither them nor the others."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous_operator.shell.monitoring.measurements import Unmeasured
from kube_rendezvous_operator.shell.reconciling.reconciler import OvertakenError
from kube_rendezvous_operator.shell.reconciling.wake_queue import WakeQueue
from kube_rendezvous_operator.shell.reconciling.workers import Workers
from kube_rendezvous_operator.shell.watching.member_cache import Key

KEY, OTHER = ("ns", "run"), ("ns", "other")
LIMIT_SECONDS = 30.0


class Reconciles:
    """Stands for the reconciler: each time it is asked about KEY it does the next thing it was given."""

    decide_seconds = 0.0

    def __init__(self, *outcomes: Exception | float | None) -> None:
        self._outcomes = list(outcomes)
        self._changed = threading.Condition()
        self.asked: list[Key] = []

    def reconcile(self, key: Key) -> float | None:
        with self._changed:
            self.asked.append(key)
            self._changed.notify_all()
            outcome = self._outcomes.pop(0) if key == KEY and self._outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def until_asked(self, times: int, key: Key = KEY) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.asked.count(key) >= times, LIMIT_SECONDS), self.asked


Work = Callable[[Reconciles], WakeQueue[Key]]


@pytest.fixture
def work() -> Iterator[Work]:
    """Starts one worker, so that nothing but itself could go on after a failure."""
    started: list[Workers] = []

    def start(reconciles: Reconciles) -> WakeQueue[Key]:
        queue: WakeQueue[Key] = WakeQueue()
        started.append(Workers(queue, reconciles, 1))  # type: ignore[arg-type]
        started[-1].start()
        return queue

    yield start
    for workers in started:
        workers.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("reconcile-")]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(OvertakenError(), id="somebody was faster"),
        pytest.param(ApiUnavailableError("PUT", 503, "", "not ready"), id="the API server does not carry it out"),
        pytest.param(ZeroDivisionError(), id="the object holds something unexpected"),
    ],
)
def test_what_could_not_be_done_is_tried_again_and_others_are_served_meanwhile(work: Work, failure: Exception) -> None:
    reconciles = Reconciles(failure, failure)
    queue = work(reconciles)
    queue.wake(KEY)
    queue.wake(OTHER)
    reconciles.until_asked(3)
    reconciles.until_asked(1, OTHER)


def test_an_unexpected_failure_is_logged_with_where_it_happened(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    reconciles = Reconciles(ZeroDivisionError("oops"))
    with caplog.at_level(logging.ERROR, "kube_rendezvous_operator"):
        work(reconciles).wake(KEY)
        reconciles.until_asked(2)
    assert "Rendezvous ns/run could not be reconciled; tried again in" in caplog.text
    assert "ZeroDivisionError: oops" in caplog.text


def test_what_may_change_by_time_alone_is_looked_at_again_then(work: Work) -> None:
    reconciles = Reconciles(0.01, 0.01)
    work(reconciles).wake(KEY)
    reconciles.until_asked(3)


def test_what_can_change_by_nothing_but_an_event_is_left_alone(work: Work) -> None:
    reconciles = Reconciles(None)
    queue = work(reconciles)
    queue.wake(KEY)
    reconciles.until_asked(1)
    queue.wake(OTHER, 0.05)
    reconciles.until_asked(1, OTHER)
    assert reconciles.asked == [KEY, OTHER]


class Breaks(Unmeasured):
    """What counts the work fails as nobody expected, so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def reconciled(self, seconds: float) -> None:
        if self.left:
            self.left -= 1
            raise OverflowError("timestamp too large to convert to C PyTime_t")


def test_a_worker_that_was_ended_by_something_unexpected_shows_it_and_works_again() -> None:
    queue: WakeQueue[Key] = WakeQueue()
    reconciles = Reconciles()
    workers = Workers(queue, reconciles, 1, Breaks(1))  # type: ignore[arg-type]
    workers.start()
    queue.wake(KEY)
    reconciles.until_asked(1)
    queue.wake(KEY)
    reconciles.until_asked(2)
    queue.wake(OTHER)
    reconciles.until_asked(1, OTHER)
    workers.stop()
    assert [thread.complaint for thread in workers.threads] == [""]
