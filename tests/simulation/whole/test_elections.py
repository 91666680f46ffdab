"""Two operators with a Lease: whatever stops them or cuts them off, only the leader writes, and then a round stands."""

from collections import Counter

import pytest

from simulation.whole.elections import Elections
from simulation.whole.invariants import BrokenError

SCENARIOS = 60


@pytest.mark.timeout(900)
def test_only_the_leader_writes_whatever_happens_to_its_lease() -> None:
    happened: Counter[str] = Counter()
    for seed in range(SCENARIOS):
        schedule = Elections(seed)
        try:
            schedule.run()
        except BrokenError as broken:
            pytest.fail(f"schedule {seed}: {broken}")
        happened.update(schedule.invariants.counts)
    assert happened["lease lost"] > SCENARIOS / 10, happened
    assert happened["elected"] > 3 / 2 * SCENARIOS, happened
