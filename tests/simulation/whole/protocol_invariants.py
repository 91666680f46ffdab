"""What must hold of reasons: why members are told, why a rendezvous is closed, and when it may open again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kube_rendezvous.resources import LateJoiners, Member, Rendezvous, RendezvousStatus
from kube_rendezvous_core.formation.formation import WorldSizes
from simulation.whole.invariants import require
from simulation.whole.world import World


@dataclass(slots=True)
class ProtocolInvariants:
    """Judged by what is true, and by what was decided on.

    Args:
        living: the names of the members whose process lives.
    """

    world: World
    living: Callable[[], set[str]]

    def status_written(self, before: Rendezvous, after: RendezvousStatus, decided_at: datetime) -> None:
        """An operator has replaced the status of ``before``, as it decided at that time."""
        self._telling(before, after, decided_at)
        self._closing(before, after)

    def _member(self, name: str) -> Member | None:
        """The newest version of it, also if it is gone."""
        gone = self.world.gone.get(name)
        return self.world.members.get(name) or (gone[1] if gone is not None else None)

    def _telling(self, before: Rendezvous, after: RendezvousStatus, decided_at: datetime) -> None:
        was, spec, forming = before.status, before.spec, after.forming
        told = was.forming is not None and was.forming.interrupts
        if after.round != was.round or forming is None or not forming.interrupts or told or not was.ranks:
            return
        full = WorldSizes.of(spec).full
        if forming.reason == "SpecChanged":
            require(was.world_size > full, f"told for SpecChanged, but {was.world_size} of {full} may stay")
        elif forming.reason == "Growth":
            deadline = was.forming.deadline if was.forming is not None else None
            called = deadline is not None and deadline <= decided_at
            require(was.world_size < full, "told for Growth, but the round is full")
            known = bool(self.world.objects["pods"])  # then it is known that nobody else is on the way
            whole = known or was.world_size + forming.arrived >= full
            require(called or whole, "growth stopped training in order to wait")
            require(spec.late_joiners is LateJoiners.RESTART, "told for Growth, but spec.lateJoiners is Wait")

    def _closing(self, before: Rendezvous, after: RendezvousStatus) -> None:
        was, now = before.status.closed, after.closed
        if now is None:
            if was is not None and was.reason == "ClosedByMember":
                require(was.reopens_on_join, "opened again, but spec.reopen is Never")
        elif now.reason == "ClosedBySpec":
            require(before.spec.closed, "closed by the spec, which is open")
        elif now.reason == "ClosedByMember" and (was is None or was.reason != now.reason):
            asked = self._member(now.by)
            require(asked is not None and asked.close_requested, f"closed by {now.by}, which never asked for it")
