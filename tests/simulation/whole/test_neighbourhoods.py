"""Members that watch each other: nobody who lives is lost, whatever is between them, and who falls silent is found."""

from collections import Counter

import pytest

from simulation.whole.invariants import BrokenError
from simulation.whole.neighbourhoods import Neighbourhoods

SCENARIOS = 60
MUST_HAPPEN = {"suspicion", "question", "one fell silent", "HeartbeatLost", "round", "DeviceUnhealthy"}


@pytest.mark.timeout(900)
def test_a_cut_between_members_costs_nobody_its_place_and_who_falls_silent_is_found_soon() -> None:
    happened: Counter[str] = Counter()
    for seed in range(SCENARIOS):
        scenario = Neighbourhoods(seed)
        try:
            scenario.run()
        except BrokenError as broken:
            pytest.fail(f"{broken}\nIn tests/: python -m simulation.whole --schedule neighbourhoods --seed {seed}")
        happened.update(scenario.invariants.counts)
    never = sorted(MUST_HAPPEN - happened.keys())
    assert not never, f"too easy: {never} never happened, only {happened}"


def test_a_seed_gives_the_same_scenario_every_time() -> None:
    traces: list[list[str]] = [[], []]
    for trace in traces:
        Neighbourhoods(2, trace=trace.append).run()
    assert traces[0] == traces[1]
    assert traces[0]
