"""A heartbeat interval that shrinks makes nobody lost who sleeps out the old pause."""

import pytest

from simulation.whole.invariants import BrokenError
from simulation.whole.shrinking_intervals import ShrinkingIntervals

SCHEDULES = 60


@pytest.mark.timeout(900)
def test_nobody_who_lives_is_lost_however_intervals_change() -> None:
    writes = 0
    for seed in range(SCHEDULES):
        schedule = ShrinkingIntervals(seed)
        try:
            schedule.run()
        except BrokenError as broken:
            pytest.fail(f"schedule {seed}: {broken}")
        writes += schedule.invariants.counts.get("status write", 0)
        assert not schedule.invariants.counts.get("expelled for HeartbeatLost")
    assert writes > 10 * SCHEDULES, "too easy: intervals did not change"
