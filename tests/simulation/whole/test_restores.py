"""Backups are restored: no node sees a number twice, and in the end a round stands that all of it know alike."""

from collections import Counter

import pytest

from simulation.whole.invariants import BrokenError
from simulation.whole.restores import Restores

SCENARIOS = 60
FOUND_SOMETHING = {
    401: "a dead member whose version the operator knew from before could not be deleted, and no round was formed",
}
MUST_HAPPEN = {
    "restored",
    "rounds are forgotten",
    "an operator found it",
    "everybody restarts the operators",
    "place",
    "stands",
}


@pytest.mark.timeout(900)
def test_whatever_a_backup_has_forgotten_a_round_stands_in_the_end() -> None:
    happened: Counter[str] = Counter()
    for seed in (*FOUND_SOMETHING, *range(SCENARIOS)):
        scenario = Restores(seed)
        try:
            scenario.run()
        except BrokenError as broken:
            pytest.fail(f"{broken}\nIn tests/: python -m simulation.whole --schedule restores --seed {seed}")
        happened.update(scenario.invariants.counts)
    never = sorted(MUST_HAPPEN - happened.keys())
    assert not never, f"too easy: {never} never happened, only {happened}"
