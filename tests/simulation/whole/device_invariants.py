"""What must hold of members with an unhealthy device: nobody is restarted for one but for a better world, once, and who
has one takes no place from a healthy one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kube_rendezvous.resources import Member, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous_core.formation.device_health import DEVICES_UNHEALTHY
from kube_rendezvous_core.formation.formation import WorldSizes
from kube_rendezvous_core.liveness.pod_liveness import DEVICE_UNHEALTHY
from simulation.whole.decided import Decided
from simulation.whole.invariants import require
from simulation.whole.pods_and_nodes import PodsAndNodes
from simulation.whole.world import World

MOST_HAND_OVERS_IN_CALM = 2
"""Of one pod: it falls ill, and somebody comes late who can take the place that it got because it was needed."""


@dataclass(slots=True)
class DeviceInvariants:
    """Judged by what nodes have said, and up to when an operator has heard it.

    Args:
        living: the names of the members whose process lives.
        count: notes what has happened.
    """

    world: World
    cluster: PodsAndNodes
    living: Callable[[], set[str]]
    count: Callable[[str], None]
    _handed_over: dict[str, int] = field(default_factory=dict)

    def status_written(self, before: Rendezvous, after: RendezvousStatus, decided: Decided) -> None:
        """An operator has replaced the status of ``before``."""
        was, forming = before.status, after.forming
        if not self.world.calm:
            self._handed_over.clear()
        if after.round > was.round:
            self._nobody_healthy_stands_by(before, after, decided)
        told_before = was.forming is not None and was.forming.interrupts
        begins = forming is not None and forming.interrupts and not told_before and after.round == was.round
        if begins and forming is not None and forming.reason == DEVICE_UNHEALTHY:
            self._told(before, forming.message, decided)

    def _told(self, before: Rendezvous, message: str, decided: Decided) -> None:
        named = [member for name in before.status.ranks if name in message and (member := self._member(name))]
        require(bool(named), f"told for {message}, but it names no member of the round")
        for member in named:
            ill = self.cluster.devices.was_ill_after(member.pod_uid, decided.pods_until)
            require(ill, f"told for {message}, but the devices of {member.name} were known to be healthy")
            times = self._handed_over[member.pod_uid] = self._handed_over.get(member.pod_uid, 0) + 1
            require(times <= MOST_HAND_OVERS_IN_CALM, f"{member.pod_uid} is handed over again and again in calm")
        out = {name for name, (seconds, _) in self.world.gone.items() if seconds < decided.members_listed_at}
        out.update(member.name for member in named)
        able = [
            member
            for member in self._all_of(before)
            if member.name not in out
            and (member.name in before.status.ranks or not self._is_known_to_be_ill(member, decided))
        ]
        world = WorldSizes.of(before.spec).largest(len(able))
        size = before.status.world_size
        require(world >= size, f"told for {message}, but no healthy one can take its place: {world} of {size}")

    def _nobody_healthy_stands_by(self, before: Rendezvous, after: RendezvousStatus, decided: Decided) -> None:
        healthy = self._healthy_spares(after, decided)
        for name in after.ranks:
            member = self._member(name)
            if member is not None and self._is_known_to_be_ill(member, decided):
                self.count("ailing member has a rank")
                require(not healthy, f"{name} has a rank, but its device was known to be ill, and {healthy} stand by")

    def wrong_in_calm(self) -> str:
        """What an operator has not made of the devices although it has had the time, as a sentence; "" for nothing."""
        rendezvous = self.world.rendezvous
        if rendezvous is None or rendezvous.status.closed is not None or not self.cluster.devices.ever_ill:
            return ""
        status = rendezvous.status
        known = Decided(self.world.now, pods_until=self.world.seconds, pods_told_of=frozenset(self.cluster.created))
        ill = [m for m in self._there(rendezvous) if self.cluster.devices.is_ill(m.pod_uid)]
        said = any(one.type == DEVICES_UNHEALTHY and one.status == "True" for one in status.conditions)
        if said != bool(ill):
            return f"devices of {[m.name for m in ill]} are ill, but the condition says {said}"
        ranked = [member.name for member in ill if member.name in status.ranks]
        healthy = self._healthy_spares(status, known)
        # Not where the next round would be smaller, or none could form: the spec was edited, and asks for more.
        without_one = WorldSizes.of(rendezvous.spec).largest(status.world_size - 1 + len(healthy))
        can = without_one >= status.world_size and rendezvous.spec.failure_policy.max_rounds is None
        if ranked and healthy and can and status.forming is None:
            return f"{ranked} keep their places with ill devices, and {healthy} stand by"
        return ""

    def _there(self, rendezvous: Rendezvous) -> list[Member]:
        return [
            member
            for member in self.world.members.values()
            if belongs_to(member, rendezvous) and member.name in self.living() and not self._must_go(member)
        ]

    def _must_go(self, member: Member) -> bool:
        return member.pod_uid in self.cluster.warned or member.node_name in self.cluster.drained

    def _healthy_spares(self, status: RendezvousStatus, decided: Decided) -> Sequence[str]:
        spares = [member for name in status.spares if (member := self.world.members.get(name)) is not None]
        return [m.name for m in spares if not self.cluster.devices.was_ill_after(m.pod_uid, decided.pods_until)]

    def _is_known_to_be_ill(self, member: Member, decided: Decided) -> bool:
        told_of = member.pod_uid in decided.pods_told_of
        return told_of and self.cluster.devices.was_ill_all_the_time_after(member.pod_uid, decided.pods_until)

    def _all_of(self, rendezvous: Rendezvous) -> list[Member]:
        everybody = (*self.world.members.values(), *(member for _, member in self.world.gone.values()))
        return [member for member in everybody if belongs_to(member, rendezvous)]

    def _member(self, name: str) -> Member | None:
        gone = self.world.gone.get(name)
        return self.world.members.get(name) or (gone[1] if gone is not None else None)
