"""A schedule for heartbeat intervals that grow and shrink: nobody who lives is lost, whoever makes them do so."""

from collections.abc import Callable
from dataclasses import replace

from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened
from simulation.whole.world import NotFoundError, UnavailableError

SECONDS = 900.0


class ShrinkingIntervals(Scenario):
    """Clients that all live; the wish changes, neighbours come by the thousand and go, operators crash."""

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        super().__init__(seed, faults, trace, shortened)
        self.spec = replace(self.spec, heartbeat_seconds=self.world.rng.choice([5, 5, 40, 120]))

    def passes(self) -> None:
        """See base class."""
        self.world.after(self.world.rng.uniform(20.0, 60.0), self._change)
        self.world.run(SECONDS)

    def _change(self) -> None:
        world, rng = self.world, self.world.rng
        world.after(rng.expovariate(1 / 25.0), self._change)
        try:
            match rng.randrange(4):
                case 0 | 1:
                    world.edit_spec(heartbeat_seconds=rng.choice([1, 5, 10, 40, 120]))
                case 2:
                    world.heartbeats_left = rng.choice([0.1, 1.0, float(MAX_HEARTBEATS_PER_SECOND)])
                    for operator in self.operators:
                        operator.wake()
                case 3:
                    operator = rng.choice(self.operators)
                    operator.crash()
                    self.operators.remove(operator)
                    self.start_operator(operator.label)
        except (NotFoundError, UnavailableError):
            world.say("nobody has created it yet")
