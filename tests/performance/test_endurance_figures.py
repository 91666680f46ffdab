"""Whether a survivor has grown is judged from the end of its warm-up."""

import json
import os

import pytest

from performance.endurance_figures import LAUNCHER, Held, ProcessMeasured, judge_endurance


def broken(*samples: Held) -> list[str]:
    """What does not hold, without whose it is."""
    measured = ProcessMeasured("re-init", "worker", samples)
    return [verdict.what.rpartition(": ")[2] for verdict in judge_endurance([measured]) if not verdict.holds]


@pytest.mark.parametrize(
    ("last", "what"),
    [
        (Held(200, 24, 7, 700.0, 100.0), []),
        (Held(200, 23, 6, 690.0, 90.0), []),
        (Held(200, 25, 7, 700.0, 100.0), ["descriptors more"]),
        (Held(200, 24, 8, 700.0, 100.0), ["threads more"]),
        (Held(200, 24, 7, 740.0, 104.0), ["growth of memory"]),
        (Held(200, 24, 7, 706.0, 106.0), ["growth of its own memory"]),
    ],
)
def test_growth_is_found(last: Held, what: list[str]) -> None:
    assert broken(Held(11, 24, 7, 700.0, 100.0), last) == what


def test_a_launcher_may_keep_a_connection_more_but_not_one_for_each_round() -> None:
    for more, holds in ((2, True), (3, False)):
        samples = [Held(10, 7, 7, 48.0, 32.0), Held(200, 7 + more, 7, 48.0, 32.0)]
        measured = ProcessMeasured("re-init", LAUNCHER, samples)
        assert all(verdict.holds for verdict in judge_endurance([measured])) is holds


def test_what_the_first_rounds_take_is_no_growth() -> None:
    assert broken(Held(2, 9, 3, 400.0, 50.0), Held(10, 24, 7, 700.0, 100.0), Held(200, 24, 7, 701.0, 101.0)) == []


def test_the_rounds_that_people_read_are_shown_once_each() -> None:
    samples = [Held(rounds, 24, 7, 700.0, 100.0) for rounds in (10, 21, 52, 101, 150, 201)]
    shown = [held.rounds for held in ProcessMeasured("re-init", "worker", samples).shown]
    assert shown == [10, 52, 101, 201]
    assert [held.rounds for held in ProcessMeasured("re-init", "worker", samples[:2]).shown] == [10]


def test_a_process_is_looked_at() -> None:
    held = Held.read(3, os.getpid())
    assert held.rounds == 3
    assert held.descriptors >= 3
    assert held.threads >= 1
    assert held.resident_mib >= held.own_mib > 1


def test_the_report_is_json() -> None:
    report = ProcessMeasured("re-init", "launcher", [Held(10, 7, 7, 48.0, 20.0)]).as_json()
    assert json.loads(json.dumps(report))["samples"][0]["own_mib"] == 20.0
