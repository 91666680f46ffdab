"""The judgement of how soon survivors are told of a signal."""

from performance.signal_figures import Told, judge_signals, signals_as_json, told_limit

MEASURED = [Told("a node is being drained", [0.1, 0.2, 30.0])]


def test_the_median_is_judged() -> None:
    (verdict,) = judge_signals(MEASURED, 0.15)
    assert (verdict.measured, verdict.holds) == (0.2, False)
    assert verdict.what == "a node is being drained -> every survivor told: median of 3, s"


def test_the_threshold_is_in_its_file_and_all_times_are_kept() -> None:
    assert told_limit() <= 0.5
    assert signals_as_json(MEASURED)["a node is being drained"] == {"median": 0.2, "worst": 30.0, "all": [0.1, 0.2, 30]}
