"""A broken schedule is told as briefly as it can be."""

from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, fails
from simulation.whole.shorter_story import Shortener

_FAULT = frozenset({Fault.WATCH_GIVES_UP})


def test_a_broken_schedule_breaks_as_it_did_with_fewer_members_and_fewer_blows() -> None:
    seed = next(seed for seed in range(600) if fails(seed, _FAULT))
    told: list[list[str]] = [[], []]
    short = Shortener(seed, _FAULT, Scenario).shortest()
    texts = [fails(seed, _FAULT, Scenario, told[0].append), fails(seed, _FAULT, Scenario, told[1].append, short)]
    assert texts[1]
    assert short.members is not None or short.without
    assert len(told[1]) < len(told[0])


def test_nothing_is_left_out_of_a_schedule_that_is_clean() -> None:
    assert Shortener(0, frozenset(), Scenario).shortest() == WHOLE
