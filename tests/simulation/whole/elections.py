"""A schedule for two operators with a Lease: stopped, cut off from it, crashed, with watches that stay open and tell
nothing; only who holds the Lease writes."""

from collections.abc import Callable
from functools import partial

from simulation.whole.operator_process import LEASE_SECONDS
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened


class Elections(Scenario):
    """All of the usual troubles beside. A watch that tells nothing may do so for a minute after all is calm."""

    elects = True
    slack_seconds = 90.0 + 2 * LEASE_SECONDS

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        super().__init__(seed, faults, trace, shortened)
        self.world.after(0.0, partial(self.start_operator, "operator-of-two"))

    def passes(self) -> None:
        """See base class."""
        self._strike_later()
        super().passes()

    def _strike_later(self) -> None:
        self.world.after(self.world.rng.expovariate(1 / 12.0), self._strike)

    def _strike(self) -> None:
        self._strike_later()
        if self.world.calm:
            return
        rng = self.world.rng
        operator = rng.choice(self.operators)
        match rng.randrange(3):
            case 0:
                operator.stop_for(rng.choice([1.0, 9.0, 14.0, 20.0]))
            case 1:
                operator.cut_lease(rng.choice([6.0, 13.0, 20.0]))
            case 2:
                operator.hang_a_watch(rng.choice([0, 0, 1, 2, 3]), rng.choice([5.0, 25.0, 60.0]))
