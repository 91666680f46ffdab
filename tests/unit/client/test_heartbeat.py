"""The thread that renews a Member."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kube_rendezvous.cluster import ApiUnavailableError, kept_thread
from kube_rendezvous.membership.heartbeat import Heartbeat

LIMIT_SECONDS = 30.0
NAME = "test-heartbeat"


class Renewals:
    """Counts heartbeats; the first ``failures`` of them fail."""

    def __init__(self, failures: int = 0) -> None:
        self._failures = failures
        self._changed = threading.Condition()
        self.limits: list[float] = []

    def renew(self, limit: float) -> None:
        with self._changed:
            self.limits.append(limit)
            self._changed.notify_all()
            if len(self.limits) <= self._failures:
                raise ApiUnavailableError("PATCH", 503, "", "not ready")

    def until(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.limits) >= count, LIMIT_SECONDS)


Beat = Callable[..., Heartbeat]


@pytest.fixture
def beat() -> Iterator[Beat]:
    """``beat(renewals, interval)``: a heartbeat that has been started."""
    started: list[Heartbeat] = []

    def start(renewals: Renewals, interval: Callable[[], float] = lambda: 0.01) -> Heartbeat:
        started.append(Heartbeat(NAME, interval, renewals.renew))
        started[-1].start()
        return started[-1]

    yield start
    for heartbeat in started:
        heartbeat.stop()
    assert NAME not in {thread.name for thread in threading.enumerate()}


def test_it_renews_again_and_again(beat: Beat) -> None:
    renewals = Renewals()
    beat(renewals)
    renewals.until(3)


def test_it_goes_on_after_a_failure(beat: Beat) -> None:
    renewals = Renewals(failures=3)
    beat(renewals)
    renewals.until(5)


def test_it_follows_the_interval_that_the_operator_publishes(beat: Beat) -> None:
    intervals = iter([0.01, 0.01])
    renewals = Renewals()
    beat(renewals, lambda: next(intervals, 2.0))
    renewals.until(1)
    assert renewals.limits[0] == 1.0, "an answer may take a second even at short intervals"


def test_starting_it_twice_is_starting_it_once(beat: Beat) -> None:
    heartbeat = beat(Renewals(), lambda: 60.0)
    heartbeat.start()
    assert [thread.name for thread in threading.enumerate()].count(NAME) == 1


def test_a_stopped_one_ends_at_once_and_is_not_started_again(beat: Beat) -> None:
    heartbeat = beat(Renewals(), lambda: 60.0)
    heartbeat.stop()
    heartbeat.stop()
    heartbeat.start()
    assert NAME not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_can_be_stopped() -> None:
    Heartbeat(NAME, lambda: 60.0, lambda _: None).stop()


def test_nothing_that_a_renewal_raises_ends_it_for_good(beat: Beat) -> None:
    renewals = Renewals()
    failures: list[Exception] = [ValueError("no JSON"), KeyError("metadata"), OverflowError()]

    def renew(limit: float) -> None:
        if failures:
            raise failures.pop()
        renewals.renew(limit)

    heartbeat = Heartbeat(NAME, lambda: 0.01, renew)
    heartbeat.start()
    renewals.until(2)
    assert heartbeat.complaint == ""
    heartbeat.stop()


def test_a_renewal_that_hangs_is_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def renew(_: float) -> None:
        hangs.set()
        assert go_on.wait(LIMIT_SECONDS)

    heartbeat = Heartbeat(NAME, lambda: 0.01, renew)
    heartbeat.start()
    assert hangs.wait(LIMIT_SECONDS)
    now = time.monotonic()
    monkeypatch.setattr(kept_thread.time, "monotonic", lambda: now + 60)
    assert heartbeat.complaint == f"{NAME} has done nothing for 60 s"
    monkeypatch.undo()
    go_on.set()
    heartbeat.stop()


def test_a_pause_under_way_is_shortened_when_the_interval_has_become_shorter(beat: Beat) -> None:
    """As in a Rendezvous of the same name whose members write more often: there this pause would be silence."""
    intervals = iter([300.0, 0.01])
    renewals = Renewals()
    heartbeat = beat(renewals, lambda: next(intervals, 0.01))
    heartbeat.interval_is_shorter()
    renewals.until(3)


def test_a_pause_under_way_is_not_ended_by_an_interval_that_has_become_longer(beat: Beat) -> None:
    intervals = iter([300.0])
    renewals = Renewals()
    heartbeat = beat(renewals, lambda: next(intervals, 600.0))
    heartbeat.interval_is_shorter()
    heartbeat.at_once()
    renewals.until(1)
    assert renewals.limits == [600.0]
