"""One scenario: a crowd of clients, one or two operators, faults for a while, then calm in which a round must stand."""

from collections.abc import Callable
from functools import partial

from kube_rendezvous.resources import LateJoiners, RendezvousSpec, Reopen
from kube_rendezvous_operator.core.formation import REJOIN_SECONDS, WorldSizes
from kube_rendezvous_operator.core.heartbeat import proof_needed, silence_limit
from simulation.whole.client_process import Client, Phase
from simulation.whole.invariants import BrokenError, Invariants
from simulation.whole.operator_process import Operator
from simulation.whole.planted_faults import Fault
from simulation.whole.world import NotFoundError, UnavailableError, World

CALM_SECONDS = 10.0
"""So long a round has to go on standing."""
_SLACK_SECONDS = 15.0
"""For lag, the last cut, and workers that take their time to stop."""


class Scenario:
    """Everything in it follows from the seed.

    Args:
        seed: of everything random.
        faults: planted ones.
        trace: is told each thing that happens.
    """

    def __init__(
        self, seed: int, faults: frozenset[Fault] = frozenset(), trace: Callable[[str], None] | None = None
    ) -> None:
        self.world = world = World(seed, faults, trace)
        self.invariants = Invariants(world, lambda: {client.me.name for client in self._living()})
        rng = world.rng
        many = 50 if rng.random() < 0.01 else rng.randint(3, 12)
        unit = 2 if rng.random() < 0.2 else 1
        low = max(unit, rng.randint(1, many))
        self.spec = RendezvousSpec(
            low,
            max(-(-low // unit) * unit, rng.randint(low, many + 2)),
            unit,
            last_call_seconds=rng.choice([2, 5, 15]),
            heartbeat_seconds=5,
            late_joiners=LateJoiners.RESTART if rng.random() < 0.8 else LateJoiners.WAIT,
            reopen=Reopen.WHEN_EMPTY if rng.random() < 0.9 else Reopen.NEVER,
            max_spares=rng.choice([None] * 9 + [1]),
        )
        self.clients: list[Client] = []
        self.operators = [Operator(world, self.invariants, f"operator-{i}") for i in range(1 + (rng.random() < 0.3))]
        for place in range(many):
            world.after(rng.choice([0.0, rng.uniform(0, 3), rng.uniform(0, 20)]), partial(self._start, place))
        self._trouble_ends = rng.uniform(20.0, 60.0)
        self._pause = rng.choice([1.5, 4.0, 10.0])
        world.after(rng.uniform(0.0, 10.0), self._trouble)

    def run(self) -> None:
        """Run it.

        Raises:
            BrokenError: an invariant does not hold; the seed shows it again.
        """
        world = self.world
        world.run(self._trouble_ends)
        world.calm = True
        world.say("all is calm from here")
        silence = silence_limit(5) + proof_needed(5)
        limit = self.spec.last_call_seconds + silence + REJOIN_SECONDS + _SLACK_SECONDS
        world.run(world.seconds + limit, enough=self.stands)
        stands = self.stands()
        if not stands and self._must_stand():
            status = world.rendezvous.status if world.rendezvous is not None else None
            raise BrokenError(f"no round stands {limit:.0f} s after the last trouble: {status}")
        world.run(world.seconds + CALM_SECONDS)

    def _living(self) -> list[Client]:
        return [client for client in self.clients if client.alive]

    def stands(self) -> bool:
        """Whether all members of the newest round run it, and none is told to stop."""
        rendezvous = self.world.rendezvous
        if rendezvous is None or not rendezvous.status.ranks:
            return False
        forming = rendezvous.status.forming
        running = {c.me.name for c in self.clients if c.phase is Phase.RUNNING}
        return running.issuperset(rendezvous.status.ranks) and not (forming is not None and forming.interrupts)

    def _must_stand(self) -> bool:
        """Enough live and want a round, and it is not closed."""
        willing = [c for c in self._living() if c.phase is not Phase.STOPPING or self._never_rejoins]
        rendezvous = self.world.rendezvous
        if rendezvous is None:
            return any(c.phase is Phase.WAITING and (c.me.made_by_client or not c.me.name) for c in willing)
        if rendezvous.status.closed is not None or rendezvous.spec.closed:
            return False
        mine = [c for c in willing if c.phase is not Phase.RUNNING or c.me.rendezvous_uid == rendezvous.uid]
        return bool(WorldSizes.of(rendezvous.spec).largest(len(mine)))

    @property
    def _never_rejoins(self) -> bool:
        return Fault.CLIENT_NEVER_REJOINS in self.world.faults

    def _start(self, place: int) -> None:
        client = Client(self.world, self.invariants, place, len(self.clients), self.spec)
        self.clients.append(client)

    def _trouble(self) -> None:
        if self.world.calm:
            return
        rng = self.world.rng
        self.world.after(rng.expovariate(1 / self._pause), self._trouble)
        what = rng.choices(*zip(*self._troubles, strict=True))[0]
        try:
            what()
        except (NotFoundError, UnavailableError):
            self.world.say("somebody is refused")

    @property
    def _troubles(self) -> list[tuple[Callable[[], None], int]]:
        rng = self.world.rng

        def client() -> Client | None:
            alive = self._living()
            return rng.choice(alive) if alive else None

        def die() -> None:
            if (one := client()) is not None:
                one.die()
                if rng.random() < 0.6:
                    self.world.after(rng.uniform(0.1, 8.0), lambda: self._start(one.place))

        def leave() -> None:
            if (one := client()) is not None:
                one.leave(close=rng.random() < 0.15)

        def fail() -> None:
            if (one := client()) is not None:
                one.fail()

        def delete_member() -> None:
            if self.world.members:
                self.world.say("a Member is deleted by hand")
                self.world.delete_member(rng.choice(list(self.world.members)))

        def delete_pod() -> None:
            # Kubernetes removes the Member with its Pod; that the watch is cut just then is bad luck.
            if (one := client()) is not None and one.me.name in self.world.members:
                if rng.random() < 0.5:
                    for operator in self.operators:
                        operator.cut_a_watch(0, rng.uniform(0.1, 3.0))
                one.die()
                self.world.delete_member(one.me.name)

        def crash() -> None:
            at = rng.randrange(len(self.operators))
            self.operators[at].crash()
            label = self.operators[at].label
            self.operators[at] = Operator(self.world, self.invariants, label)

        def cut() -> None:
            rng.choice(self.operators).cut_a_watch(rng.randrange(2), rng.choice([0.1, 3.0, 20.0]))

        def edit() -> None:
            low = rng.randint(1, 4)
            self.world.edit_spec(min_nodes=low, max_nodes=low + rng.randint(1, 8), node_unit=1)

        def join() -> None:
            self._start(len(self.clients) + 100)

        return [
            (die, 6), (leave, 2), (fail, 5), (delete_member, 3), (delete_pod, 3), (crash, 6), (cut, 5),
            (join, 4), (edit, 1),
            (lambda: self.world.go_away(rng.choice([2.0, 12.0, 25.0])), 1),
            (lambda: self.world.delete_rendezvous() if rng.random() < 0.3 else None, 1),
        ]  # fmt: skip


def fails(seed: int, faults: frozenset[Fault] = frozenset()) -> str:
    """What is wrong in the scenario of this seed; "" if nothing is."""
    try:
        Scenario(seed, faults).run()
    except BrokenError as broken:
        return str(broken)
    return ""
