"""The judgement on survivors bites, whatever the machine."""

import json

import pytest

from performance.survive_figures import (
    Kill,
    Survived,
    SurviveThresholds,
    WayMeasured,
    judge_survived,
    survived_as_json,
)

LIMITS = SurviveThresholds(step_median=0.4, share=0.1)
RESTARTED = WayMeasured("restarted", [Kill(None, 3.9, 4.0)])


def kept(*stepped: float) -> WayMeasured:
    """Kills after which the next step came so many seconds later."""
    return WayMeasured("kept", [Kill(told=each / 4, taken=each / 2, stepped=each) for each in stepped])


def broken(survived: Survived) -> list[str]:
    """What does not hold."""
    return [verdict.what for verdict in judge_survived(survived, LIMITS) if not verdict.holds]


def test_the_thresholds_file_is_read() -> None:
    limits = SurviveThresholds.read()
    assert limits.step_median == 0.4
    assert limits.share == pytest.approx(1 / 15, rel=1e-3)


def test_the_median_is_held_to_its_limit_and_one_slow_kill_is_forgiven() -> None:
    assert broken(Survived(4, 2, kept(0.2, 0.3, 9.0))) == []
    assert broken(Survived(4, 2, kept(0.2, 0.5, 0.5))) == ["node killed -> next step of all survivors: median of 3, s"]


def test_keeping_processes_is_held_to_a_share_of_the_restarting_ways_time() -> None:
    assert broken(Survived(4, 2, kept(0.4), restarted=RESTARTED)) == []
    slow = Survived(4, 2, kept(0.4), restarted=WayMeasured("restarted", [Kill(None, 3.0, 3.9)]))
    assert broken(slow) == ["node killed -> next step: share of the restarting way's"]


def test_without_the_restarting_way_there_is_no_share() -> None:
    survived = Survived(4, 2, kept(0.2), kept(0.3))
    assert survived.share(survived.kept) is None
    assert len(list(judge_survived(survived, LIMITS))) == 1


def test_a_way_is_told_by_its_medians_and_its_worst() -> None:
    way = kept(0.2, 0.4, 0.8)
    assert (way.told, way.taken, way.stepped, way.worst) == (0.1, 0.2, 0.4, 0.8)
    assert RESTARTED.told is None


def test_the_report_is_json() -> None:
    survived = Survived(4, 2, kept(0.2, 0.4), kept(0.3), RESTARTED)
    report = json.loads(json.dumps(survived_as_json(survived)))
    assert [way["name"] for way in report["ways"]] == ["kept", "kept", "restarted"]
    assert report["ways"][0]["share"] == pytest.approx(0.3 / 4.0)
    assert report["ways"][2]["medians"]["told"] is None
