"""When a round is formed anew, when it is complete, and who is in it.

Design section 4. A round is formed anew when none exists, a ranked member is lost or waits again, the wish no longer
allows the world size, or newcomers can make the world larger. Growth never stops training in order to wait:
newcomers gather while the old round goes on (`interrupts` false), and only then is everybody told (`interrupts`
true). Once told, always formed: members may have stopped.

Complete at once when the largest possible world waits, or when enough wait and nobody else is known to be coming (a pod
that cannot run now is not: see `hindrance`); otherwise last call runs from the moment that enough wait. Its deadline is
in the status, so that an operator restart does not extend it. Members of the old round have first claim on a place, and
time to stop (`REJOIN_SECONDS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kube_rendezvous.resources import Forming, LateJoiners, Member, Rendezvous, RendezvousSpec
from kube_rendezvous_core.formation.owners import ToCome, pods_to_come
from kube_rendezvous_core.liveness.liveness import Liveness, Loss
from kube_rendezvous_core.liveness.pod_liveness import holdup_of, on_their_way, unhealthy_devices_of
from kube_rendezvous_core.observed.surroundings import ObservedPod, Surroundings
from kube_rendezvous_core.policy.comings import RESTARTED, Damping
from kube_rendezvous_core.policy.failure_policy import Blame
from kube_rendezvous_core.ranking.ranking import place_key
from kube_rendezvous_core.ranking.replacement import nearest_first
from kube_rendezvous_core.ranking.topology import Topology

FIRST_ROUND = "FirstRound"
REOPENED = "Reopened"
SPEC_CHANGED = "SpecChanged"
GROWTH = "Growth"

REJOIN_SECONDS = 60.0
"""Living members of the old round have at least so long to stop and to join again, however short last call is:
torchrun gives its workers 30 s between SIGTERM and SIGKILL. Without it newcomers alone could make the round that throws
out those who have just been told, and be thrown out by them in turn, for ever."""

_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class WorldSizes:
    """The smallest and the largest world that the spec allows, both multiples of `nodeUnit`."""

    required: int
    full: int
    unit: int

    @classmethod
    def of(cls, spec: RendezvousSpec) -> "WorldSizes":
        unit = spec.node_unit
        return cls(-(-spec.min_nodes // unit) * unit, spec.max_nodes // unit * unit, unit)

    def largest(self, nodes: int) -> int:
        """The largest allowed world that this many nodes can make; 0 if there is none."""
        size = min(nodes, self.full) // self.unit * self.unit
        return size if size >= self.required else 0


@dataclass(frozen=True, slots=True)
class Crowd:
    """The living, sorted by what they do.

    Args:
        arrived: members of the current round that wait for the next one, by rank.
        left_out: those that do so at a quarantined place, or unasked and too often, by rank: they make a round
            necessary but get no place in it.
        damped: those, ranked or not, that wait because they have come too often (`comings`).
        ailing: names of those with an unhealthy device.
        running: members of the current round that do not, by rank.
        newcomers: members of no round, in the order in which they may have a place.
        coming: pods that may still join, and are waited for.
        hindered: pods that cannot run now: they may join, but nobody waits for them.
        to_come: pods that their owners are yet to make: waited for where nobody is held up by that.
        pods_known: some pod is labelled for this rendezvous, so that "nobody is coming" can be known.
    """

    arrived: tuple[Member, ...]
    running: tuple[Member, ...]
    newcomers: tuple[Member, ...]
    coming: tuple[ObservedPod, ...] = ()
    hindered: tuple[ObservedPod, ...] = ()
    to_come: tuple[ToCome, ...] = ()
    pods_known: bool = False
    left_out: tuple[Member, ...] = ()
    damped: tuple[Member, ...] = ()
    ailing: frozenset[str] = frozenset()

    def best(self, waiting: Sequence[Member], size: int) -> tuple[Member, ...]:
        """So many of those who wait, who come first in this order: one with an unhealthy device only where it is
        needed. As long as members were to come it may have been, and the world has become smaller since."""
        return tuple(sorted(waiting, key=lambda member: member.name in self.ailing)[:size])

    @property
    def waiting(self) -> int:
        return len(self.arrived) + len(self.newcomers)

    @property
    def old(self) -> int:
        return len(self.arrived) + len(self.running)


def sort_crowd(
    rendezvous: Rendezvous,
    liveness: Liveness,
    surroundings: Surroundings,
    blame: Blame,
    damping: Damping,
    topology: Topology,
    now: datetime,
) -> Crowd:
    """Sort the living members. A member waits while it is not in `ranks`, or its `afterRound` >= `status.round`.

    One at a quarantined place may go on with its round, but does not count among those who wait; nor does one that
    `damping` holds, unless no round can be formed without it.
    """
    status = rendezvous.status
    ranked = [liveness.alive[name] for name in status.ranks if name in liveness.alive]
    ranked_names = set(status.ranks)
    vacated_slots = {
        slot for name, slot in zip(status.ranks, status.slots, strict=False) if slot and name not in liveness.alive
    }
    # One that claims a later round than there is was written by hand, or we are behind: it must not start a round.
    back = [m for m in ranked if m.after_round == status.round]
    running = tuple(m for m in ranked if m.after_round != status.round)
    unranked = [m for name, m in liveness.alive.items() if name not in ranked_names]
    able = [m for m in (*back, *unranked) if not blame.holds(m)]
    damped = [m for m in able if damping.holds(m)]
    if len(running) + len(able) - len(damped) < WorldSizes.of(rendezvous.spec).required:
        damped = []
    out = {m.name for m in damped} | {m.name for m in (*back, *unranked) if blame.holds(m)}
    newcomers = sorted(
        (m for m in unranked if m.name not in out),
        key=lambda m: (m.slot not in vacated_slots, int(m.created.timestamp()), place_key(m)),
    )
    not_joined = on_their_way(surroundings, liveness.present, now)
    return Crowd(
        arrived=tuple(m for m in back if m.name not in out),
        running=running,
        newcomers=_doubtful_last(nearest_first(status.ranks, liveness.alive.keys(), newcomers, topology), surroundings),
        coming=tuple(pod for pod in not_joined if pod.hindrance is None),
        hindered=tuple(pod for pod in not_joined if pod.hindrance is not None),
        to_come=tuple(lacking for lacking in pods_to_come(surroundings) if lacking.by_itself),
        pods_known=bool(surroundings.pods),
        left_out=tuple(m for m in back if m.name in out),
        damped=tuple(damped),
        ailing=frozenset(name for name, m in liveness.alive.items() if unhealthy_devices_of(m, surroundings)),
    )


def _doubtful_last(newcomers: Sequence[Member], surroundings: Surroundings) -> tuple[Member, ...]:
    """In the same order, but those last whose node will have to be left some day, and after them those with an
    unhealthy device: a place is better given to others."""
    nodes = surroundings.nodes or {}

    def doubts(member: Member) -> tuple[bool, bool]:
        node = nodes.get(member.node_name)
        return bool(unhealthy_devices_of(member, surroundings)), node is not None and bool(node.maintenance)

    return tuple(sorted(newcomers, key=doubts))


@dataclass(frozen=True, slots=True)
class Formation:
    """What shall be formed.

    Args:
        forming: the round in the making; None if the current one stands.
        chosen: the members of the new round if it is complete; empty otherwise.
    """

    forming: Forming | None
    chosen: tuple[Member, ...] = ()


def plan_formation(
    rendezvous: Rendezvous, crowd: Crowd, losses: Sequence[Loss], reopened: bool, now: datetime
) -> Formation:
    """Decide what is formed and whether it is complete.

    Args:
        rendezvous: not closed.
        crowd: its living members.
        losses: of ranked members only.
        reopened: it was closed until now.
        now: wall clock, UTC.
    """
    sizes = WorldSizes.of(rendezvous.spec)
    forming = _open_formation(rendezvous, crowd, losses, reopened, sizes, now)
    if forming is None:
        return Formation(None)
    if _gathers(forming):
        return Formation(replace(forming, arrived=crowd.waiting, waiting_for=_missing(crowd, ())))
    forming = replace(
        forming,
        arrived=crowd.waiting,
        required=sizes.required,
        waiting_for=_missing(crowd, crowd.running),
    )
    return _complete_or_wait(rendezvous, crowd, forming, sizes, now)


def _open_formation(
    rendezvous: Rendezvous,
    crowd: Crowd,
    losses: Sequence[Loss],
    reopened: bool,
    sizes: WorldSizes,
    now: datetime,
) -> Forming | None:
    """The formation that goes on or begins now, before anybody is counted."""
    status = rendezvous.status
    ongoing = status.forming if status.forming and status.forming.round == status.round + 1 else None

    def begin(reason: str, message: str, *, interrupts: bool) -> Forming:
        return Forming(status.round + 1, reason, message[:1024], interrupts, now, required=sizes.required)

    if ongoing and (ongoing.interrupts or not status.ranks):
        return ongoing
    if not status.ranks:
        return begin(FIRST_ROUND, "No round was formed yet", interrupts=False)
    if reopened and not crowd.old:
        return begin(REOPENED, "The rendezvous was opened again", interrupts=True)
    if losses:
        return begin(losses[0].reason, _told(losses), interrupts=True)
    back = (*crowd.arrived, *crowd.left_out)
    if back:
        names = ", ".join(m.name for m in back[:_NAMES_SHOWN])
        return begin(RESTARTED, f"{names} joined again after round {status.round}", interrupts=True)
    if status.world_size > sizes.full:
        text = f"The spec allows {sizes.full} nodes at the most, round {status.round} has {status.world_size}"
        return begin(SPEC_CHANGED, text, interrupts=True)
    return _growth(rendezvous, crowd, ongoing, sizes, begin(GROWTH, "", interrupts=False), now)


def _growth(
    rendezvous: Rendezvous,
    crowd: Crowd,
    ongoing: Forming | None,
    sizes: WorldSizes,
    beginning: Forming,
    now: datetime,
) -> Forming | None:
    """Newcomers gather beside the running round until last call ends or the world is full."""
    world = rendezvous.status.world_size
    grown = sizes.largest(world + len(crowd.newcomers))
    if rendezvous.spec.late_joiners is LateJoiners.WAIT or grown <= world:
        return None
    gathering = ongoing or beginning
    deadline = gathering.deadline or now + timedelta(seconds=rendezvous.spec.last_call_seconds)
    message = f"The world can grow from {world} to {grown} nodes"
    nobody_else = crowd.pods_known and not crowd.coming and not crowd.to_come
    if grown < sizes.full and now < deadline and not nobody_else:
        return replace(gathering, message=message, deadline=deadline)
    # From now on the old members are waited for, and only that counts as delay.
    return replace(gathering, message=message, interrupts=True, since=now, deadline=None)


def _gathers(forming: Forming) -> bool:
    return forming.reason == GROWTH and not forming.interrupts


def _told(losses: Sequence[Loss]) -> str:
    more = f" (and {len(losses) - _NAMES_SHOWN} more)" if len(losses) > _NAMES_SHOWN else ""
    return "; ".join(loss.message for loss in losses[:_NAMES_SHOWN]) + more


def _complete_or_wait(
    rendezvous: Rendezvous, crowd: Crowd, forming: Forming, sizes: WorldSizes, now: datetime
) -> Formation:
    # Places are kept for members of the old round that are still to arrive: they have first claim.
    free = max(0, sizes.full - crowd.old)
    sure_of_a_place = (*crowd.arrived, *crowd.newcomers[:free])
    if sizes.required <= sizes.full <= len(sure_of_a_place):
        return Formation(forming, crowd.best(sure_of_a_place, sizes.full))
    size = sizes.largest(crowd.waiting)
    if size == 0:
        return Formation(replace(forming, deadline=None))
    everybody = (*crowd.arrived, *crowd.newcomers)
    if _nobody_else_is_coming(crowd):
        return Formation(forming, crowd.best(everybody, size))
    last_call = now + timedelta(seconds=rendezvous.spec.last_call_seconds)
    deadline = min(forming.deadline or last_call, last_call)  # the time to stop may have been in it until now
    if crowd.running:
        deadline = max(deadline, forming.since + timedelta(seconds=REJOIN_SECONDS))
    if now >= deadline:
        return Formation(forming, crowd.best(everybody, size))
    return Formation(replace(forming, deadline=deadline))


def _nobody_else_is_coming(crowd: Crowd) -> bool:
    """Every living member of the old round has arrived, no labelled pod is on its way, and no owner makes more of them.

    With no pod labelled and no old round alive nobody can know: last call runs, as in torch.
    """
    if crowd.running or crowd.coming:
        return False
    # Survivors train on without a pod that is not even made; a first round is worth waiting for it.
    return crowd.old > 0 or (crowd.pods_known and not crowd.to_come)


def _missing(crowd: Crowd, running: Sequence[Member]) -> tuple[str, ...]:
    """Who is missing: members that have to join again, then pods with what holds them, those that may come first, then
    what is still to be made."""
    pods = (*crowd.coming, *crowd.hindered)
    return (*(member.name for member in running), *map(holdup_of, pods), *map(str, crowd.to_come))[:_NAMES_SHOWN]
