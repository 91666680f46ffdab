"""The wall clock is set back and forth; what is counted by the operator's clock lasts as long as it lasts."""

from datetime import datetime, timedelta

import pytest

from kube_rendezvous_operator.shell.reconciling.steady_clock import SteadyClock
from unit.core.builders import NOW


class Clocks:
    """A wall clock that can be set, and a monotonic one."""

    def __init__(self) -> None:
        self.wall, self.monotonic = NOW, 1000.0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.monotonic)

    def after(self, seconds: float) -> datetime:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds
        return self.steady.now()


@pytest.mark.parametrize("jump", [-3600, 600, 86400])
def test_a_duration_lasts_as_long_as_it_lasts_however_the_wall_clock_is_set(jump: float) -> None:
    clocks = Clocks()
    began = clocks.after(1)
    clocks.wall += timedelta(seconds=jump)
    passed = (clocks.after(30) - began).total_seconds()
    assert passed == pytest.approx(30, rel=0.051)


def test_with_clocks_that_agree_it_is_the_wall_clock() -> None:
    clocks = Clocks()
    assert clocks.after(1000) == clocks.wall


@pytest.mark.parametrize("jump", [-100, 100])
def test_it_comes_back_to_the_wall_clock_in_time_and_never_goes_back(jump: float) -> None:
    clocks = Clocks()
    clocks.wall += timedelta(seconds=jump)
    before = clocks.after(0)
    for _ in range(300):
        now = clocks.after(10)
        assert now > before
        before = now
    assert before == clocks.wall
