"""What must hold of pods, nodes and policies, judged by what is true and by what the operator must have heard."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from kube_rendezvous.resources import Member, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.failure_policy import places_at
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.formation.formation import WorldSizes
from kube_rendezvous_core.liveness.pod_liveness import DEVICE_UNHEALTHY
from simulation.whole.decided import Decided
from simulation.whole.device_invariants import DeviceInvariants
from simulation.whole.invariants import require
from simulation.whole.pods_and_nodes import UNSCHEDULED, WITHOUT_CONTAINER, PodsAndNodes
from simulation.whole.world import World

OF_THE_DEAD = {"PodDeleted", "PodFinished", "ContainerEnded", "ContainerRestarted", "NodeGone"}
WANTED = {
    "FirstRound", "Reopened", "Growth", "SpecChanged", "MemberLeft", "MemberDeleted", "PodDeleted", "PodTerminating",
    "PodEvicted", "NodeDraining",
}  # fmt: skip


class PolicyInvariants:
    """Checked at every status write and expulsion.

    Args:
        living: the names of the members whose process lives.
        count: notes what has happened.
    """

    def __init__(
        self, world: World, cluster: PodsAndNodes, living: Callable[[], set[str]], count: Callable[[str], None]
    ) -> None:
        self._world, self._cluster, self._living, self._count = world, cluster, living, count
        self.devices = DeviceInvariants(world, cluster, living, count)
        self.others: list[Callable[[Rendezvous, RendezvousStatus], None]] = []
        """Judges of one schedule alone."""

    def status_written(self, before: Rendezvous, after: RendezvousStatus, decided: Decided) -> None:
        """An operator has replaced the status of `before`."""
        was = before.status
        self._quarantine(before, after)
        self._standby(before, after)
        self._nobody_held_up(after)
        self._told_to_leave(after, decided)
        self.devices.status_written(before, after, decided)
        for judge in self.others:
            judge(before, after)
        if after.round > was.round:
            members = [self._member(name) for name in after.ranks]
            self._places(members, after, decided)
            self._nobody_overlooked(before, after, decided)
            self._domains(was, after, members, decided)
            limit, history = before.spec.failure_policy.max_rounds, after.history[0]
            if limit is not None and history.reason not in WANTED:
                require(was.round - was.opened_after < limit, f"round {after.round} is more than maxRounds {limit}")
        if after.closed is not None and was.closed is None:
            self._count(after.closed.reason)

    def expelled(self, expulsion: Expulsion) -> None:
        """An operator has deleted a Member."""
        name, reason = expulsion.member.name, expulsion.reason
        if reason in OF_THE_DEAD:
            require(name not in self._living(), f"{name} lives and was expelled for {reason}")

    def _member(self, name: str) -> Member:
        return self._world.members.get(name) or self._world.gone[name][1]

    def _places(self, members: Sequence[Member], after: RendezvousStatus, decided: Decided) -> None:
        quarantined = {place.place for place in after.quarantined}
        for member in members:
            name, pod = member.name, member.pod_uid
            ended = self._cluster.ended.get(pod, math.inf)
            # Nobody tells an operator of a pod that came and went before it did, or while its watch was cut.
            if pod in decided.pods_told_of:
                warned = self._cluster.warned.get(pod, math.inf)
                require(warned >= decided.pods_until, f"{name} has a rank, but its pod was known to have to go")
                require(ended >= decided.pods_until, f"{name} has a rank, but its pod was known to be gone")
            drained = self._cluster.drained.get(member.node_name, decided.nodes_until) if pod else decided.nodes_until
            require(drained >= decided.nodes_until, f"{name} has a rank, but its node was known to be drained")
            at = places_at(member.node_name, member.slot) & quarantined
            require(not at, f"{name} has a rank, but {sorted(at)} is quarantined")

    def _told_to_leave(self, after: RendezvousStatus, decided: Decided) -> None:
        """Who is on a node that is drained has to leave, and no round stands with it."""
        told = after.forming is not None and after.forming.interrupts
        if told or after.closed is not None:
            return
        for name in after.ranks:
            member = self._member(name)
            drained = self._cluster.drained.get(member.node_name, math.inf) if member.pod_uid else math.inf
            require(drained >= decided.nodes_until, f"{name} goes on, but its node was known to be drained")

    def _nobody_overlooked(self, before: Rendezvous, after: RendezvousStatus, decided: Decided) -> None:
        """A round that is not full is formed before last call ends only if no pod is on its way."""
        forming = before.status.forming
        deadline = forming.deadline if forming is not None else None
        if after.world_size == WorldSizes.of(before.spec).full or (deadline is not None and decided.at >= deadline):
            return
        joined = {m.pod_uid for m in (*self._world.members.values(), *(gone for _, gone in self._world.gone.values()))}
        for uid, pod in self._world.objects["pods"].items():
            pending = pod["status"]["phase"] == "Pending" and uid not in self._cluster.warned
            free = self._cluster.held_until.get(uid, 0.0) < decided.pods_until
            known = free and self._cluster.created[uid] < decided.pods_until
            require(not (pending and known and uid not in joined), f"formed at once, but pod {uid} is on its way")

    def _nobody_held_up(self, after: RendezvousStatus) -> None:
        """Where enough are here, somebody who can come is waited for, if anybody is."""
        forming = after.forming
        if forming is None or forming.deadline is None or not forming.waiting_for:
            return
        able = [who for who in forming.waiting_for if not any(why in who for why in (*UNSCHEDULED, *WITHOUT_CONTAINER))]
        require(bool(able), f"{forming.waiting_for} cannot run, and round {forming.round} is held up for them")

    def _quarantine(self, before: Rendezvous, after: RendezvousStatus) -> None:
        policy = before.spec.failure_policy.quarantine
        known = {place.place for place in before.status.quarantined}
        now = {place.place for place in after.quarantined}
        require(known - before.trusted_places <= now, f"quarantine of {sorted(known - now)} was forgotten")
        for place in sorted(now - known):
            self._count("quarantine")
            losses = {loss.member: loss.reason for loss in after.recent_losses if loss.place == place}
            names = losses.keys()
            require(policy is not None and len(names) >= policy.losses, f"{place} is quarantined after {sorted(names)}")
            dead = {name for name, reason in losses.items() if reason != DEVICE_UNHEALTHY}
            require(not dead & self._living(), f"{place} is quarantined for {sorted(dead)}, who live")

    def _standby(self, before: Rendezvous, after: RendezvousStatus) -> None:
        if after.surplus:
            self._count("surplus")
            require(before.spec.max_spares is not None, "somebody is sent home without standby.max")
            require(not set(after.surplus) & {*after.ranks, *after.spares}, "a member of the round is sent home")
            require(len(after.spares) >= (before.spec.max_spares or 0), "sent home before standby is full")

    def _domains(
        self, was: RendezvousStatus, after: RendezvousStatus, members: Sequence[Member], decided: Decided
    ) -> None:
        if not after.domains:
            return
        self._count("domains")
        paths = [tuple(domain.split("/")) for domain in after.domains]
        for depth in range(1, max(map(len, paths)) + 1):
            along = [path[:depth] for path in paths]
            borders = sum(1 for left, right in pairwise(along) if left != right)
            require(borders == len(set(along)) - 1, f"a domain is split: {after.domains}")
        if decided.nodes_known:
            for member, path in zip(members, paths, strict=True):
                labels = self._cluster.labels_of(member.node_name)
                require(not labels or path[-1] in ("", *labels.values()), f"{member.name} is not in {path}")
        if was.domains:
            self._moved(was, after)

    def _moved(self, was: RendezvousStatus, after: RendezvousStatus) -> None:
        """The bound that `core/domain_order` gives."""
        old = dict(zip(was.ranks, was.domains, strict=True))
        new = dict(zip(after.ranks, after.domains, strict=True))
        if any(old[name] != new[name] for name in old.keys() & new.keys()):
            return
        turnover = max(len(old.keys() - new.keys()), len(new.keys() - old.keys()))
        moved = sum(1 for rank, name in enumerate(after.ranks) if rank >= len(old) or was.ranks[rank] != name)
        bound = len({*was.domains, *after.domains}) * turnover
        require(moved <= bound, f"{moved} ranks moved, but at most {bound} may")
