"""One scenario: a crowd of clients, one or two operators; faults for a while, then calm in which a round must stand."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from kube_rendezvous.cluster import connection
from kube_rendezvous.resources import LateJoiners, Ranking, RendezvousSpec, Reopen
from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine, places_at
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS, WorldSizes
from kube_rendezvous_core.liveness.heartbeat import proof_needed, silence_limit
from kube_rendezvous_core.policy.comings import Damping
from simulation.whole.client_process import Client, Phase, without_sockets
from simulation.whole.invariants import BrokenError, Invariants, require
from simulation.whole.operator_process import Operator, decides_first, observed
from simulation.whole.planted_faults import Fault, planted
from simulation.whole.pods_and_nodes import RACK, UNSCHEDULED, WITHOUT_CONTAINER, ZONE, Home, PodsAndNodes
from simulation.whole.policy_invariants import PolicyInvariants
from simulation.whole.protocol_invariants import ProtocolInvariants
from simulation.whole.simulated_modules import Replacement, errors_told, replaced, replacements, unlogged
from simulation.whole.troubles import Troubles
from simulation.whole.world import World

CALM_SECONDS = 10.0
"""So long a round has to go on standing."""


@dataclass(frozen=True)
class Shortened:
    """What is left out of a schedule: all ``members`` beyond so many at first, and the blows of these numbers."""

    members: int | None = None
    without: frozenset[int] = frozenset()


WHOLE = Shortened()


class Scenario:
    """Everything in it follows from the seed, and from what is left out.

    Args:
        seed: of everything random.
        faults: planted ones.
        trace: is told each thing that happens.
        shortened: what is left out.
    """

    elects = False
    """Whether its operators elect a leader; else each of them leads."""

    second_operator = 0.3
    """How probable one is."""

    sliced = 0.5
    """How probable it is that its rounds lie in slices."""

    slack_seconds = 30.0
    """For lag, the last cut, pods that were warned and go later, and workers that take their time to stop."""

    client_cuts: Sequence[float] = (0.1, 3.0, 20.0)
    """For how long a client may lose its watch (seconds)."""

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        self.world = world = World(seed, faults, trace, self.sliced)
        self.clients: list[Client] = []
        self._pods_made = 0
        self.operators: list[Operator] = []
        self.invariants = Invariants(world, self._living_names)
        rng = world.rng
        self.cluster = PodsAndNodes(world, rng.randint(4, 8))
        self.policies = PolicyInvariants(world, self.cluster, self._living_names, self.invariants.count)
        self.protocol = ProtocolInvariants(world, self.cluster, self._living_names, self.invariants.count)
        self.labelled = rng.random() < 0.6
        many = rng.choice([30, 50]) if rng.random() < 0.05 else rng.randint(3, 12)
        if many == 50:
            self.invariants.count("fifty processes")
        if shortened.members is not None:
            many = min(many, shortened.members)
        self.members = many
        self.spec = wished_spec(rng, many)
        operators = 1 + (rng.random() < self.second_operator)
        world.two_lead = operators > 1 and not self.elects
        for number in range(operators):
            world.after(0.0, partial(self.start_operator, f"operator-{number}"))
        for place in range(many):
            world.after(rng.choice([0.0, rng.uniform(0, 3), rng.uniform(0, 20)]), partial(self.start, place))
        self._troubles = Troubles(self, shortened.without)

    def run(self) -> None:
        """Run it.

        Raises:
            BrokenError: an invariant does not hold; the seed shows it again.
        """
        world = self.world
        product = replacements(world, world.readings.instead)
        with (
            replaced([*product, (connection, "Credentials", lambda wire: wire), *observed(), *without_sockets()]),
            replaced(self.of_this_schedule()),
            replaced(planted(world.faults, decides_first)),
            errors_told(lambda text: world.breaks(BrokenError(text))),
        ):
            try:
                self.passes()
            finally:
                with unlogged():
                    for process in world.processes:
                        process.kill()
                        process.forget()

    def of_this_schedule(self) -> list[Replacement]:
        """What this schedule replaces beside what all do."""
        return []

    @property
    def blows(self) -> int:
        """How many things have gone wrong on purpose so far."""
        return self._troubles.blows

    def passes(self) -> None:
        """The time of the scenario passes."""
        stretches = self.world.rng.choice([1, 2, 2, 3])
        for stretch in range(stretches):
            self.world.calm = False
            self._troubles.begin()
            self.world.run(self.world.seconds + self.world.rng.uniform(15.0, 60.0 / (1 + stretch)))
            self._quiet_stretch()

    def _quiet_stretch(self) -> None:
        """Faults have stopped: a round must stand in bounded time, and the spares within their bound."""
        world = self.world
        world.calm = True
        world.say("all is calm from here")
        self.invariants.count("quiet stretch")
        silence = silence_limit(5) + proof_needed(5)
        last_call = world.rendezvous.spec.last_call_seconds if world.rendezvous is not None else 0
        limit = last_call + silence + REJOIN_SECONDS + self.slack_seconds
        world.run(world.seconds + limit, enough=self.stands)
        forming = world.rendezvous.status.forming if world.rendezvous is not None else None
        if forming is not None and not self.stands():
            # Workers that failed long ago may have ended only now: the formation has its time from its own beginning.
            age = (world.now - forming.since).total_seconds()
            world.run(world.seconds + max(0.0, limit - age), enough=self.stands)
        if self.stands():
            self.invariants.count("stands")
        elif self._must_stand():
            status = world.rendezvous.status if world.rendezvous is not None else None
            raise BrokenError(f"no round stands {limit:.0f} s after the last trouble: {status}")
        world.run(world.seconds + CALM_SECONDS)
        # An operator that was cut off has yet to hear of those who came meanwhile.
        world.run(world.seconds + limit, enough=lambda: not self._wrong_in_calm())
        require(not (wrong := self._wrong_in_calm()), wrong)

    def _wrong_in_calm(self) -> str:
        return self._too_many_spares() or self.policies.devices.wrong_in_calm()

    def _too_many_spares(self) -> str:
        """Who stands by although `spec.standby.max` sends them home, as a sentence; "" if they are few enough."""
        rendezvous = self.world.rendezvous
        if rendezvous is None or rendezvous.spec.max_spares is None or not self.stands():
            return ""
        status, spec = rendezvous.status, rendezvous.spec
        free = WorldSizes.of(spec).full - status.world_size
        settled = self.world.now - timedelta(seconds=CALM_SECONDS - 2)
        damping = Damping.of(status, self.world.now)  # who came too often waits, and is no spare meanwhile
        unranked = [
            client.label
            for client in self.living()
            if client.me.name in self.world.members
            and client.me.name not in status.ranks
            and client.me.rendezvous_uid == rendezvous.uid
            and client.phase is Phase.WAITING
            and self.world.members[client.me.name].created < settled
            and not self._must_go(client)
            and not damping.holds(self.world.members[client.me.name])
            and not self.cluster.devices.is_ill(client.home.pod_uid)
        ]
        bound = max(0, free) + spec.max_spares
        return f"{unranked} stand by, but standby.max allows {bound}" if len(unranked) > bound else ""

    def _living_names(self) -> set[str]:
        living = self.living()
        return {client.me.name for client in living} | {client.joining for client in living}

    def living(self) -> list[Client]:
        """All clients whose process lives."""
        return [client for client in self.clients if client.alive]

    def stands(self) -> bool:
        """Whether all members of the newest round run it, and none is told to stop."""
        rendezvous = self.world.rendezvous
        if rendezvous is None or not rendezvous.status.ranks:
            return False
        forming = rendezvous.status.forming
        if forming is not None and forming.interrupts:
            return False
        running = [client for client in self.clients if client.phase is Phase.RUNNING]
        ranks = rendezvous.status.ranks
        return len(running) >= len(ranks) and {client.me.name for client in running}.issuperset(ranks)

    def _must_stand(self) -> bool:
        """Enough live and want a round, and it is not closed."""
        willing = [c for c in self.living() if c.phase is not Phase.STOPPING and not self._must_go(c)]
        rendezvous = self.world.rendezvous
        if rendezvous is None:
            return any(c.phase is Phase.WAITING and (c.me.made_by_client or not c.me.rendezvous_uid) for c in willing)
        if rendezvous.status.closed is not None or rendezvous.spec.closed:
            return False
        mine = [c for c in willing if c.phase is not Phase.RUNNING or c.me.rendezvous_uid == rendezvous.uid]
        return bool(WorldSizes.of(rendezvous.spec).largest(len(mine)))

    def _must_go(self, client: Client) -> bool:
        """Whether no round may take it: it was warned, or sits at a quarantined place."""
        home, rendezvous = client.home, self.world.rendezvous
        left_out = {place.place for place in rendezvous.status.quarantined} if rendezvous is not None else set()
        warned = home.pod_uid in self.cluster.warned or home.node in self.cluster.drained
        return warned or bool(places_at(home.node, home.slot) & left_out)

    def start_operator(self, label: str) -> None:
        """An operator process comes, with nothing in its memory."""
        lost = self.replace_operator if self.elects else None
        judges = self.invariants, self.policies, self.protocol
        operator = Operator(self.world, *judges, label, lost)
        operator.on_death = partial(self.replace_operator, operator)
        self.operators.append(operator)

    def replace_operator(self, operator: Operator) -> None:
        """It ends, and another process comes in its place."""
        if operator in self.operators:
            operator.crash()
            self.operators.remove(operator)
            self.start_operator(operator.label)

    def start(self, place: int) -> None:
        """A process comes to a place: first its pod, if pods are labelled, then the process."""
        world, nodes = self.world, self.cluster.nodes
        if place % 3 == 2:
            self.start_process(place, Home(node=nodes[place % len(nodes)]))
        elif not self.labelled:
            self.start_process(place, Home(str(place), f"pod-{place}", nodes[place % len(nodes)]))
        else:
            self._pods_made += 1
            fit = [node for node in nodes if node not in self.cluster.drained] or nodes
            # A name that ended in the slot by chance would say that the slot is a guess (`resources.slots`).
            home = Home(str(place), f"pod-{place}-n{self._pods_made}", world.rng.choice(fit), labelled=True)
            held = world.rng.choice([*UNSCHEDULED, *WITHOUT_CONTAINER]) if world.rng.random() < 0.15 else ""
            self.cluster.create_pod(home.pod_uid, home.node, held)
            if held and world.rng.random() < 0.5:
                return  # for ever
            if held:
                world.after(world.rng.uniform(3.0, 40.0), partial(self.free_pod, place, home))
                return
            slow = world.rng.random() < 0.1
            world.after(
                world.rng.uniform(5.0, 40.0) if slow else world.rng.uniform(0.1, 4.0),
                partial(self.run_pod, place, home),
            )

    def free_pod(self, place: int, home: Home) -> None:
        """A pod that could not run can."""
        self.invariants.count("held-up pod can run")
        self.cluster.free_pod(home.pod_uid)
        self.world.after(self.world.rng.uniform(0.1, 4.0), partial(self.run_pod, place, home))

    def run_pod(self, place: int, home: Home) -> None:
        """The container of a pod starts, then its process."""
        if home.pod_uid not in self.world.objects["pods"] or home.pod_uid in self.cluster.warned:
            return
        self.cluster.start_container(home.pod_uid)
        self.world.after(self.world.rng.uniform(0.6, 2.0), partial(self._run_process, place, home))

    def _run_process(self, place: int, home: Home) -> None:
        if home.pod_uid in self.world.objects["pods"]:
            self.start_process(place, home)

    def start_process(self, place: int, home: Home) -> None:
        """A client process begins."""
        client = Client(self.world, self.invariants, place, len(self.clients), self.spec, home)
        if home.labelled:
            client.on_leave = partial(self.cluster.end_container, home.pod_uid, last=True)
        self.clients.append(client)


class Slices(Scenario):
    """As `Scenario`, always with rounds in slices. Every other seed gives the schedule that it gives there."""

    sliced = 1.0


def wished_spec(rng: random.Random, many: int) -> RendezvousSpec:
    """What is asked for with so many processes."""
    unit = 2 if rng.random() < 0.2 else 1
    low = max(unit, rng.randint(1, many))
    return RendezvousSpec(
        low,
        max(-(-low // unit) * unit, rng.randint(low, many + 2)),
        unit,
        last_call_seconds=rng.choice([2, 5, 15]),
        heartbeat_seconds=5,
        late_joiners=LateJoiners.RESTART if rng.random() < 0.8 else LateJoiners.WAIT,
        reopen=Reopen.WHEN_EMPTY if rng.random() < 0.9 else Reopen.NEVER,
        max_spares=rng.choice([None, None, None, 0, 1, 2]),
        failure_policy=FailurePolicy(
            quarantine=Quarantine(rng.choice([1, 2, 3]), 600) if rng.random() < 0.35 else None,
            max_rounds=rng.randint(2, 6) if rng.random() < 0.15 else None,
        ),
        ranking=Ranking(topology_keys=rng.choice([(), (), (ZONE,), (ZONE, RACK)])),
    )


def fails(
    seed: int,
    faults: frozenset[Fault] = frozenset(),
    schedule: type[Scenario] = Scenario,
    trace: Callable[[str], None] | None = None,
    shortened: Shortened = WHOLE,
) -> str:
    """What is wrong in the scenario of this seed; "" if nothing is."""
    try:
        schedule(seed, faults, trace, shortened).run()
    except BrokenError as broken:
        return str(broken)
    return ""
