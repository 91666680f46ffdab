"""What the log says of a wait: each reason once, and now and then that it still holds."""

import logging
import time

import pytest

from kube_rendezvous.membership.waiting_report import WaitingReport


class Clock:
    """Time as the test has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "kube_rendezvous")
    return caplog


def test_each_reason_is_said_once(clock: Clock, log: pytest.LogCaptureFixture) -> None:
    report = WaitingReport("Rendezvous ns/run")
    for why in ("1 of 2", "1 of 2", "2 of 2", "2 of 2"):
        report.update(why, 0.0)
    assert log.messages == ["Rendezvous ns/run: 1 of 2", "Rendezvous ns/run: 2 of 2"]


def test_a_reason_that_lasts_is_repeated_every_half_minute_with_how_long_it_has_been(
    clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    report = WaitingReport("it")
    report.update("1 of 2", 0.0)
    for _ in range(6):
        clock.now += 10
        report.update("1 of 2", 0.0)
    assert log.messages[1:] == ["it: still waiting after 30 s: 1 of 2", "it: still waiting after 60 s: 1 of 2"]
    assert {record.levelno for record in log.records[1:]} == {logging.WARNING}


def test_that_no_operator_looks_is_said_once_after_ten_seconds(clock: Clock, log: pytest.LogCaptureFixture) -> None:
    report = WaitingReport("it")
    for seconds in (9.9, 10.0, 11.0, 20.0):
        report.update("why", seconds)
    said = [message for message in log.messages if "no operator" in message]
    assert len(said) == 1
    assert "no operator has looked at it for 10 s: is the kube-rendezvous operator running" in said[0]


@pytest.mark.parametrize(
    ("unobserved", "seconds"),
    [
        pytest.param(0.0, 30.0, id="nothing to say before the reason has lasted half a minute"),
        pytest.param(4.0, 6.0, id="that no operator looks, ten seconds after it began"),
        pytest.param(12.0, 30.0, id="that no operator looks has been said"),
    ],
)
def test_the_next_report_is_due_when_there_may_be_something_to_say(
    clock: Clock, unobserved: float, seconds: float
) -> None:
    report = WaitingReport("it")
    report.update("why", unobserved)
    assert report.next_report(unobserved) == pytest.approx(seconds)


def test_an_overdue_report_does_not_make_the_wait_a_busy_one(clock: Clock) -> None:
    report = WaitingReport("it")
    clock.now += 1000
    assert report.next_report(0.0) > 0
