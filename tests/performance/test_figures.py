"""The benchmark's judgement bites, whatever the machine."""

import json

import pytest

from performance.figures import Pair, Storm, Thresholds, Told, as_json, judge

LIMITS = Thresholds(told_median=0.2, told_worst=1.0, whole_share=0.1, last_share=0.1, from_nodes=64)


def broken(told: Told | None, *storms: Storm) -> list[str]:
    """What does not hold."""
    return [verdict.what for verdict in judge(told, storms, LIMITS) if not verdict.holds]


def test_the_thresholds_file_is_read() -> None:
    limits = Thresholds.read()
    assert 0 < limits.told_median < limits.told_worst
    assert 0 < limits.last_share <= limits.whole_share < 1


@pytest.mark.parametrize(
    ("seconds", "what"),
    [
        ([0.1, 0.1, 0.9], []),
        ([0.1, 0.3, 0.3], ["pod deleted -> all told: median, s"]),
        ([0.1, 0.1, 1.1], ["pod deleted -> all told: worst of 3, s"]),
    ],
)
def test_median_and_worst_are_both_held_to_their_limits(seconds: list[float], what: list[str]) -> None:
    assert broken(Told(7, seconds)) == what


def test_a_storm_is_held_to_a_share_of_c10ds_time_from_a_size_on() -> None:
    slow, quick = Pair([2.0, 1.0, 9.0], [10.0], 120), Pair([0.5], [10.0], 120)
    assert broken(None, Storm(8, slow, slow), Storm(64, quick, quick)) == []
    assert broken(None, Storm(64, slow, quick)) == ["whole storm of 64: share of c10d's"]
    assert broken(None, Storm(64, quick, slow)) == ["last joiner -> all returned of 64: share of c10d's"]


def test_a_storm_of_c10d_that_did_not_end_counts_as_the_time_waited_for_it() -> None:
    assert Pair([1.2], [None], 120).share == pytest.approx(0.01)


def test_what_was_not_measured_is_not_judged() -> None:
    assert broken(None, Storm(64, Pair([99.0]), Pair([99.0]))) == []


def test_the_report_is_json() -> None:
    pair = Pair([0.5], [None], 120)
    storms, told = [Storm(64, pair, pair)], Told(7, [0.1], 10, 0, 3)
    report = as_json(told, storms, list(judge(told, storms, LIMITS)), {"cpus": 2})
    assert json.loads(json.dumps(report))["passed"] is True
