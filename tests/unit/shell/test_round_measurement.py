"""What is counted and timed of rounds, and that a verdict is logged once."""

import logging

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from unit.shell.fake_clock import Clock
from unit.shell.objects import raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell

AWAY = ApiUnavailableError("PUT", 503, "", "not ready")


def test_a_published_round_is_counted_once_with_the_time_that_it_took(standing: Shell) -> None:
    assert standing.measured.outcomes == ["formed"]
    assert len(standing.measured.formed) == 1
    standing.run()
    assert standing.measured.outcomes == ["formed"]
    assert standing.measured.told_after == [], "nobody ran who could have been told"


def test_the_time_until_survivors_are_told_runs_from_when_the_loss_was_heard_of(standing: Shell, clock: Clock) -> None:
    standing.members.changed(raw_member("b", 5, leaving=True))
    standing.asked_at = clock.now
    clock.now += 0.25
    standing.run()
    assert standing.measured.told_after == [0.25]
    standing.run()
    assert standing.measured.told_after == [0.25]


def test_it_runs_on_while_the_write_fails(standing: Shell, clock: Clock) -> None:
    standing.members.changed(raw_member("b", 5, leaving=True))
    standing.asked_at = clock.now
    store = standing.connection.answers[("PUT", "/status")]
    standing.answer("PUT", "/status", AWAY)
    with pytest.raises(ApiUnavailableError):
        standing.run()
    clock.now += 3
    standing.asked_at = clock.now
    standing.answer("PUT", "/status", *store)
    standing.run()
    assert standing.measured.told_after == [3.0]


def test_a_forming_round_that_a_closing_ends_is_counted_as_closed(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1))
    shell.run()
    assert shell.measured.outcomes == []
    known = shell.status
    assert known.forming is not None
    shell.members.changed(raw_member("a", 5, leaving=True, closeRequested=True, closeReason="done"))
    shell.serve(_newest(shell), raw_member("a", 5, leaving=True, closeRequested=True, closeReason="done"))
    shell.run()
    assert shell.measured.outcomes == ["closed"]


def test_a_verdict_is_logged_once_however_often_it_is_reached(
    standing: Shell, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(20):
        clock.now += 0.1
        standing.members.changed(raw_member("a", 20 + int(clock.now * 10)))
        standing.run()
    assert [record.getMessage() for record in caplog.records] == []
    standing.members.changed(raw_member("b", 5, leaving=True))
    for _ in range(20):
        clock.now += 0.1
        standing.run()
    lines = [record for record in caplog.records if "is being formed" in record.getMessage()]
    assert len(lines) == 1
    reference = lines[0].__dict__["k8s_ref"]
    assert (reference["kind"], reference["namespace"], reference["name"]) == ("Rendezvous", "ns", "run")


def _newest(shell: Shell) -> dict[str, object]:
    return shell.raw
