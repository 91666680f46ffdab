"""An operator process: when it reconciles, how it crashes, and what its watches tell it."""

from collections.abc import Iterator

from simulation.whole.invariants import Invariants
from simulation.whole.members_seen import MembersSeen
from simulation.whole.policy_invariants import PolicyInvariants
from simulation.whole.reconcile import OvertakenError, Reconciling
from simulation.whole.surroundings_seen import SurroundingsSeen
from simulation.whole.watch import Watch
from simulation.whole.world import UnavailableError, World


class Operator(Reconciling):
    """One process. `crash` and a new object are a restart."""

    def __init__(self, world: World, invariants: Invariants, policies: PolicyInvariants, label: str) -> None:
        self._crashed = False
        self._running: Iterator[None] | None = None
        self._again = False
        self._wake_at: float | None = None
        members, surroundings = MembersSeen(world, self.wake), SurroundingsSeen(world, self.wake)
        super().__init__(world, invariants, policies, label, members, surroundings)
        around = (surroundings.pod_watch, surroundings.node_watch)
        self._watches = (Watch(world, "members", members), Watch(world, "rendezvous", self), *around)
        members.list_began = lambda: self._watches[0].list_began

    def crash(self) -> None:
        """SIGKILL between any two steps."""
        self._crashed = True
        for watch in self._watches:
            watch.stop()
        self._world.say(f"{self.label} crashes")

    def cut_a_watch(self, which: int, seconds: float) -> None:
        self._world.say(f"{self.label} loses its watch of {self._watches[which].kind} for {seconds:.0f} s")
        self._watches[which].cut(seconds)

    # When it reconciles

    def wake(self, seconds: float | None = None) -> None:
        if self._running is not None:
            self._again = True
            return
        pause = self._world.rng.uniform(0.002, 0.1) if seconds is None else max(0.002, seconds)
        at = self._world.seconds + pause
        if self._wake_at is None or at < self._wake_at:
            self._wake_at = at
            self._world.after(pause, lambda: self._begin(at))

    def _begin(self, at: float) -> None:
        if self._wake_at != at:
            return  # an earlier wake has come instead
        self._wake_at, self._again = None, False
        if not self._crashed and self.members.synced and self._running is None:
            self._running = self.reconcile()
            self._step()

    def _step(self) -> None:
        if self._crashed or self._running is None:
            return
        pause: float | None = None
        try:
            next(self._running)
            rng = self._world.rng
            self._world.after(rng.uniform(0.3, 2.0) if rng.random() < 0.05 else rng.uniform(0.001, 0.02), self._step)
            return
        except StopIteration as end:
            pause = end.value
        except OvertakenError:
            self._again = True
        except UnavailableError:
            pause = 1.0
        self._running = None
        if self._again:
            self.wake()
        elif pause is not None:
            self.wake(pause)

    # The watch of the Rendezvous
