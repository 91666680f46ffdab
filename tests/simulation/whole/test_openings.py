"""Runs end and begin anew while watches lag: nobody hears in a new run what was asked for in the last."""

from collections import Counter

import pytest

from simulation.whole.invariants import BrokenError
from simulation.whole.openings import Openings

SCENARIOS = 40
MUST_HAPPEN = {"Reopened", "ClosedByMember", "round"}


@pytest.mark.timeout(900)
def test_no_run_is_closed_by_what_was_asked_for_before_it_was_opened() -> None:
    happened: Counter[str] = Counter()
    for seed in range(SCENARIOS):
        scenario = Openings(seed)
        try:
            scenario.run()
        except BrokenError as broken:
            pytest.fail(f"{broken}\nIn tests/: python -m simulation.whole --schedule openings --seed {seed}")
        happened.update(scenario.invariants.counts)
    never = sorted(MUST_HAPPEN - happened.keys())
    assert not never, f"too easy: {never} never happened, only {happened}"
