"""A schedule for members that watch each other, because heartbeats are rare: hosts are cut off from each other,
datagrams are lost, clients are stopped for a while. In the end a member falls silent, and is found long before its
heartbeats tell.
"""

from collections.abc import Callable
from dataclasses import replace

from kube_rendezvous.membership.neighbours import PING_EVERY_SECONDS, SUSPECTED_AFTER_SECONDS
from kube_rendezvous.resources import Member, Rendezvous, neighbours
from kube_rendezvous.resources.neighbours import WATCHED_AHEAD
from kube_rendezvous_core.liveness import heartbeat
from kube_rendezvous_core.liveness.suspicion import answer_limit
from kube_rendezvous_core.slicing import SliceSizes
from simulation.whole.client_process import Client
from simulation.whole.datagrams import Datagrams
from simulation.whole.invariants import BrokenError, require
from simulation.whole.neighbour_invariants import NeighbourInvariants, watchers_of
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened
from simulation.whole.simulated_modules import Replacement

HEARTBEATS_PER_SECOND = 0.4
"""That this cluster bears: a dozen members are as many as thousands elsewhere."""

STOPPED_SECONDS = (1.0, 4.0, 7.0)
"""Whoever is stopped for longer may be lost for it: it cannot answer."""

_LAG_SECONDS = 12.0
"""For requests, watches, and a reconcile each; and a neighbour that has just said something else waits first."""


class Neighbourhoods(Scenario):
    """All of the usual troubles beside. Whoever is not watched is silent for three long intervals before it is lost."""

    slack_seconds = 900.0
    client_cuts = (0.1, 2.0)

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        super().__init__(seed, faults, trace, shortened)
        self.world.neighbours_watch = True
        self.network = Datagrams(self.world)
        self.neighbours = NeighbourInvariants(self.world, self.network, self.living, self.invariants.count)
        self.policies.others.append(self.neighbours.status_written)
        self.world.member_written = self._judge_member
        if self.world.slice_sizes != SliceSizes():
            self.world.slice_sizes = SliceSizes(above=self.world.rng.randint(0, 6), names=self.world.rng.randint(4, 6))
        self.spec = replace(self.spec, max_nodes=self.spec.max_nodes + 4 * self.spec.node_unit)

    def of_this_schedule(self) -> list[Replacement]:
        """See base class."""
        return [
            *self.network.replacements(),
            (heartbeat, "MAX_HEARTBEATS_PER_SECOND", HEARTBEATS_PER_SECOND),
            (neighbours, "WRITES_PER_SECOND", HEARTBEATS_PER_SECOND),
        ]

    def passes(self) -> None:
        """See base class."""
        self._strike_later()
        super().passes()
        self._one_falls_silent()

    def _judge_member(self, before: Member | None, after: Member) -> None:
        try:
            self.neighbours.member_written(before, after)
        except BrokenError as broken:
            self.world.breaks(broken)

    # Troubles

    def _strike_later(self) -> None:
        self.world.after(self.world.rng.expovariate(1 / 10.0), self._strike)

    def _strike(self) -> None:
        if self.world.calm:
            self.world.after(5.0, self._strike)
            return
        self._strike_later()
        rng, clients = self.world.rng, self.living()
        if not clients:
            return
        match rng.randrange(5):
            case 0 | 1:
                some = rng.sample(clients, rng.choice([1, 1, max(1, len(clients) // 2)]))
                others = [client for client in clients if client not in some]
                self._cut(some, others or some, rng.choice([8.0, 20.0, 45.0]), one_way=rng.random() < 0.3)
            case 2:
                part, seconds = rng.choice([0.3, 0.9, 1.0]), rng.choice([8.0, 20.0])
                self.world.say(f"{part:.0%} of all datagrams are lost for {seconds:.0f} s")
                self.network.lose(part, seconds)
            case 3:
                rng.choice(clients).stop_for(rng.choice(STOPPED_SECONDS))
            case 4:
                rng.choice(self.operators).hang_a_watch(0, rng.choice([5.0, 20.0]))

    def _cut(self, some: list[Client], others: list[Client], seconds: float, *, one_way: bool) -> None:
        labels = ", ".join(client.label for client in some)
        self.world.say(f"{labels} are cut off from others for {seconds:.0f} s{', one way' if one_way else ''}")
        here, there = [client.address for client in some], [client.address for client in others]
        self.network.cut(here, there, seconds, one_way=one_way)

    # The end

    def _one_falls_silent(self) -> None:
        """And nobody tells but those who watch it: the operator asks it, and knows."""
        world = self.world
        victim = self._to_fall_silent()
        if victim is None:
            return
        rendezvous = world.rendezvous
        assert rendezvous is not None
        world.run(world.seconds + rendezvous.status.heartbeat_seconds + 60.0)
        if not self._still_watched(victim, rendezvous):
            return
        name, limit = victim.me.name, self._found_within(rendezvous)
        victim.die()
        self.invariants.count("one fell silent")
        world.run(world.seconds + limit, enough=lambda: not self._holds_a_place(name))
        require(
            not self._holds_a_place(name), f"{name} has been silent for {limit:.0f} s, and nobody has found it lost"
        )

    def _to_fall_silent(self) -> Client | None:
        rendezvous = self.world.rendezvous
        if rendezvous is None or not self.stands() or rendezvous.status.world_size < 3:
            return None
        if self.world.clocks_differ:
            return None  # for how long a question stands is told by the operators' clocks, each in its turn
        if rendezvous.status.heartbeat_seconds <= self._found_within(rendezvous) / 2:
            return None
        ranked = [client for client in self.living() if client.me.name in rendezvous.status.ranks]
        return self.world.rng.choice(ranked) if len(ranked) == rendezvous.status.world_size else None

    def _found_within(self, rendezvous: Rendezvous) -> float:
        noticed = SUSPECTED_AFTER_SECONDS + 2 * PING_EVERY_SECONDS
        return noticed + answer_limit(rendezvous.spec.heartbeat_seconds) + _LAG_SECONDS

    def _still_watched(self, victim: Client, before: Rendezvous) -> bool:
        """Nothing has happened meanwhile, and those who watch it can."""
        now = self.world.rendezvous
        if now is None or not self.stands() or now.status.forming is not None or now.status.closed is not None:
            return False
        if now.spec != before.spec or now.status.round != before.status.round or not victim.alive:
            return False
        watchers = watchers_of(victim.me.name, now.status)
        living = {client.me.name for client in self.living()}
        return len(watchers) == WATCHED_AHEAD and living.issuperset(watchers)

    def _holds_a_place(self, name: str) -> bool:
        rendezvous = self.world.rendezvous
        if rendezvous is None or name not in rendezvous.status.ranks or rendezvous.status.closed is not None:
            return False
        forming = rendezvous.status.forming
        return forming is None or not forming.interrupts
