"""The judgement of what pods that cannot come cost."""

from performance.hindered_figures import Hindered, HinderedThresholds, hindered_as_json, judge_hindered

LIMITS = HinderedThresholds(again_median=0.5, first_worst=1.0)


def test_survivors_are_judged_by_the_median_and_first_rounds_by_the_worst() -> None:
    good, bad = judge_hindered([Hindered("gated", [0.1, 1.1], [0.2, 0.3, 30.0])], LIMITS)
    assert (good.measured, good.holds) == (0.3, True)
    assert (bad.measured, bad.holds) == (1.1, False)
    assert bad.what == "last joined -> first round beside pods that are gated: worst of 2, s"


def test_the_thresholds_are_in_their_file() -> None:
    assert HinderedThresholds.read().again_median <= 0.5
    assert HinderedThresholds.read().first_worst <= 1.0


def test_all_times_are_kept_for_programs() -> None:
    kept = hindered_as_json([Hindered("gated", [0.1, 0.3], [0.2])])
    assert kept["gated"]["firstRound"] == {"median": 0.2, "worst": 0.3, "all": [0.1, 0.3]}
