"""The operator's core and the client's, together: whatever fails, no invariant breaks, and after it a round stands."""

from collections import Counter

import pytest

from simulation.whole.invariants import BrokenError
from simulation.whole.scenario import Scenario

SCENARIOS = 2_000

# Scenarios in which one of these never happened have proved too little.
MUST_HAPPEN = {
    "round",
    "told",
    "409",
    "MemberLeft",
    "MemberDeleted",
    "MemberSuperseded",
    "HeartbeatLost",
    "MemberRestarted",
    "Growth",
    "SpecChanged",
    "expelled for NotArrived",
    "expelled for HeartbeatLost",
    "expelled for OtherRendezvous",
    "PodDeleted",
    "PodFinished",
    "PodEvicted",
    "PodTerminating",
    "ContainerEnded",
    "ContainerRestarted",
    "NodeDraining",
    "quarantine",
    "held-up pod can run",
    "surplus",
    "sent home",
    "domains",
    "Reopened",
    "ClosedByMember",
    "ClosedByFailurePolicy",
    "fifty processes",
}


@pytest.mark.timeout(400)
def test_every_scenario_keeps_every_invariant_and_ends_with_a_round_that_stands() -> None:
    happened: Counter[str] = Counter()
    for seed in range(SCENARIOS):
        scenario = Scenario(seed)
        try:
            scenario.run()
        except BrokenError as broken:
            pytest.fail(f"{broken}\nIn tests/, replay it with: python -m simulation.whole --seed {seed}")
        happened.update(scenario.invariants.counts)
    never = sorted(MUST_HAPPEN - happened.keys())
    assert not never, f"too easy: {never} never happened, only {happened}"
    stood, quiet = happened["stands"], happened["quiet stretch"]
    assert stood > quiet / 2, f"a round stood after {stood} of {quiet} quiet stretches only"


def test_a_seed_gives_the_same_scenario_every_time() -> None:
    traces: list[list[str]] = [[], []]
    for trace in traces:
        Scenario(7, trace=trace.append).run()
    assert traces[0] == traces[1]
    assert traces[0]
