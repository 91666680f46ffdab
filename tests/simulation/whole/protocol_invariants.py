"""What must hold of reasons: why members are told, why one is expelled, why a rendezvous is closed and when it opens
again, and why a status is written at all."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from kube_rendezvous.resources import LateJoiners, Member, Rendezvous, RendezvousStatus
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.formation.formation import WorldSizes
from simulation.whole.decided import Decided
from simulation.whole.invariants import require
from simulation.whole.pods_and_nodes import PodsAndNodes
from simulation.whole.world import World

NEWS_SECONDS = 6.0
"""So long it may take until an operator has heard of something, has read again and has written what follows from it."""

MOST_WRITES_IN_CALM = 3
"""Nobody waits for having come too often any more, a pod has been held up for long, and the like."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """Of what was closed: when, what was read before it (seconds), and whose decision it was."""

    seconds: float
    listed_at: float
    operator: str


@dataclass(slots=True)
class ProtocolInvariants:
    """Judged by what is true, and by what was decided on.

    Args:
        living: the names of the members whose process lives.
        count: notes what has happened.
    """

    world: World
    cluster: PodsAndNodes
    living: Callable[[], set[str]]
    count: Callable[[str], None]
    _version: str = ""
    _opening: _Opening | None = None
    _quiet: tuple[float, int] = (0.0, 0)

    def replaced(self, after: Rendezvous) -> None:
        """An operator's request has replaced a status, and this is there now."""
        require(after.resource_version != self._version, "a status was written that changes nothing")
        self._version = after.resource_version

    def status_written(self, before: Rendezvous, after: RendezvousStatus, decided: Decided, operator: str) -> None:
        """That operator has replaced the status of ``before``."""
        self._calm(before.status, after)
        self._telling(before, after, decided)
        self._closing(before, after, decided, operator)

    def expelled(self, expulsion: Expulsion, decided_on: Rendezvous, decided: Decided) -> None:
        """An operator has deleted a Member."""
        member = self._member(expulsion.member.name) or expulsion.member
        if self.world.rendezvous is not None and member.rendezvous_uid == self.world.rendezvous.uid:
            self._request_kept(member, decided_on, self.world.rendezvous)
        if expulsion.reason == "NotArrived" and member.name in self.living() and not self._must_go(member, decided):
            self._claim(member, decided_on, decided)

    def _member(self, name: str) -> Member | None:
        """The newest version of it, also if it is gone."""
        gone = self.world.gone.get(name)
        return self.world.members.get(name) or (gone[1] if gone is not None else None)

    def _must_go(self, member: Member, decided: Decided) -> bool:
        cluster, pod = self.cluster, member.pod_uid
        ill = cluster.devices.was_ill_after(pod, decided.pods_until)
        return ill or pod in cluster.warned or member.node_name in cluster.drained

    def _calm(self, was: RendezvousStatus, after: RendezvousStatus) -> None:
        """Nothing has happened, nobody is waited for, and yet: times that run out explain a few writes.

        Two that lead at once may know different things for a while, after an outage say, and write by turns. Intervals
        shrink by halves, a write each.
        """
        world = self.world
        if after.heartbeat_seconds < was.heartbeat_seconds:
            return
        silent = not self.living() >= world.members.keys()
        if world.two_lead or was.forming is not None or silent or world.seconds < world.quiet_from + NEWS_SECONDS:
            return
        quiet, writes = self._quiet
        self._quiet = world.quiet_from, writes + 1 if quiet == world.quiet_from else 1
        text = f"nothing has happened since {world.quiet_from:.1f} s, and yet the status is written again and again"
        require(self._quiet[1] <= MOST_WRITES_IN_CALM, f"{text}: {_news(was, after)}")

    def _request_kept(self, member: Member, decided_on: Rendezvous, now: Rendezvous) -> None:
        """Who goes after it has asked to close may be forgotten only once its request is on record."""
        asked = self.world.asked_to_close_at.get(member.name)
        ranks = decided_on.status.ranks
        if asked is None or (ranks and member.name not in ranks):  # beside a round nobody closes it
            return
        opened = self._opening.seconds if self._opening is not None else -1.0
        kept = now.status.closed is not None or opened >= asked
        require(kept, f"{member.name} has asked to close and is gone, but the request is not on record")

    def _claim(self, member: Member, decided_on: Rendezvous, decided: Decided) -> None:
        status, full = decided_on.status, WorldSizes.of(decided_on.spec).full
        known = [self._member(name) for name in status.ranks]
        arrived = sum(1 for one in known if one is not None and one.after_round >= status.round)
        deadline = status.forming.deadline if status.forming is not None else None
        called = deadline is not None and deadline <= decided.at
        require(called or arrived >= full, f"{member.name} has first claim on a place until last call ends")

    def _telling(self, before: Rendezvous, after: RendezvousStatus, decided: Decided) -> None:
        was, spec, forming = before.status, before.spec, after.forming
        told = was.forming is not None and was.forming.interrupts
        if after.round != was.round or forming is None or not forming.interrupts or told or not was.ranks:
            return
        full = WorldSizes.of(spec).full
        if forming.reason == "SpecChanged":
            require(was.world_size > full, f"told for SpecChanged, but {was.world_size} of {full} may stay")
        elif forming.reason == "Growth":
            deadline = was.forming.deadline if was.forming is not None else None
            called = deadline is not None and deadline <= decided.at
            require(was.world_size < full, "told for Growth, but the round is full")
            known = bool(self.world.objects["pods"])  # then it is known that nobody else is on the way
            whole = known or was.world_size + forming.arrived >= full
            require(called or whole, "growth stopped training in order to wait")
            require(spec.late_joiners is LateJoiners.RESTART, "told for Growth, but spec.lateJoiners is Wait")
        elif forming.reason == "Reopened":
            here = [self.world.members[name] for name in {*was.ranks} & self.world.members.keys() & self.living()]
            there = [one.name for one in here if not self._must_go(one, decided)]
            require(not there, f"told because it was opened again, but {sorted(there)} never left")

    def _closing(self, before: Rendezvous, after: RendezvousStatus, decided: Decided, operator: str) -> None:
        was, now = before.status.closed, after.closed
        if before.spec.closed:
            require(now is not None and now.reason == "ClosedBySpec", "the spec is closed, but the status is not")
        if now is None:
            if was is not None:
                if was.reason == "ClosedByMember":
                    require(was.reopens_on_join, "opened again, but spec.reopen is Never")
                self._opening = _Opening(self.world.seconds, decided.members_listed_at, operator)
            return
        if now.reason == "ClosedBySpec":
            require(before.spec.closed, "closed by the spec, which is open")
        elif now.reason == "ClosedByMember" and (was is None or was.reason != now.reason):
            self._asked(now.by, operator)
        if now.reopens_on_join and not (was is not None and was.reopens_on_join):
            self._empty(before, decided)

    def _asked(self, name: str, operator: str) -> None:
        asked = self.world.asked_to_close_at.get(name)
        require(asked is not None, f"closed by {name}, which never asked for it")
        # Another operator may still remember a farewell that is older than the opening.
        if asked is not None and self._opening is not None and self._opening.operator == operator:
            require(asked >= self._opening.listed_at, f"closed by {name}, which asked before it was opened again")

    def _empty(self, before: Rendezvous, decided: Decided) -> None:
        there = [
            name
            for name in self.living() & self.world.members.keys()
            if self.world.members[name].rendezvous_uid == before.uid
            and self.world.joined_at[name] < decided.members_listed_at
        ]
        require(not there, f"taken for empty, but {sorted(there)} are there")
        self.count("taken for empty")


def _news(was: RendezvousStatus, now: RendezvousStatus) -> str:
    """What differs."""
    names = (part.name for part in fields(now))
    return "; ".join(f"{n} {getattr(now, n)}" for n in names if getattr(was, n) != getattr(now, n))
