"""What was read from the cluster around one Rendezvous, typed, at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kube_rendezvous.resources import Member, Rendezvous
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous_core import ObservedEviction, ObservedNode, ObservedOwner, ObservedPod, ObservedPodGroup, OwnerRef


class Hold(StrEnum):
    """What keeps a pod from taking part."""

    GATED = "Gated"
    UNSCHEDULED = "Unscheduled"
    IMAGE = "Image"
    CRASHING = "Crashing"
    MISCONFIGURED = "Misconfigured"
    STARTING = "Starting"
    RUNNING = "Running"
    WITHOUT_PROCESS = "WithoutProcess"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True)
class SeenRendezvous:
    """A Rendezvous and what its typed view leaves out.

    Args:
        created: creation time.
        close_note: what the person who closed it gave as a reason; "" if nothing.
    """

    rendezvous: Rendezvous
    created: datetime
    close_note: str = ""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod of the namespace.

    Args:
        label: value of its label `rendezvous.dev/name`; "" if it has none.
        run_ids: what its containers pass as `--rdzv-id`, as far as the manifest shows it.
        leaving: why it has to go (deletion, eviction); "" if it has not.
        hold: what keeps it from taking part if it has not joined.
        why: the same as the cluster says it.
        restarts: of its main container.
        unhealthy_devices: those that its node reports as unhealthy; "" if there is none.
        owner: what makes it, and makes it again; None: nothing that is known.
        observed: the same as the operator sees it; None: not known.
    """

    name: str
    uid: str
    label: str = ""
    run_ids: tuple[str, ...] = ()
    node_name: str = ""
    leaving: str = ""
    hold: Hold = Hold.RUNNING
    why: str = ""
    restarts: int = 0
    unhealthy_devices: str = ""
    owner: OwnerRef | None = None
    observed: ObservedPod | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was read for one answer.

    Args:
        now: wall clock, UTC; not before the newest heartbeat that was read.
        others: the other Rendezvous of the namespace.
        members: those that name this Rendezvous.
        other_members: those of the namespace that name another one.
        pods: all of the namespace; None if we may not read them.
        nodes: on which members or labelled pods run; None if we may not read them.
        owners: what made the labelled pods, as far as we may read it.
        groups: PodGroups that the labelled pods name; None: what we may not read.
        evictions: that decide whether a pod is to go, by its UID, if the operator says that somebody asks for some.
        unreadable_members: what is wrong with Members that cannot be read, one sentence each.
        notes: what could not be read and the command that would change it.
    """

    now: datetime
    seen: SeenRendezvous
    others: tuple[SeenRendezvous, ...] = ()
    members: tuple[Member, ...] = ()
    other_members: tuple[Member, ...] = ()
    pods: tuple[SeenPod, ...] | None = ()
    nodes: Mapping[str, ObservedNode] | None = field(default_factory=dict)
    owners: tuple[ObservedOwner, ...] = ()
    groups: Mapping[OwnerRef, ObservedPodGroup | None] = field(default_factory=dict)
    evictions: Mapping[str, ObservedEviction] = field(default_factory=dict)
    unreadable_members: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_nodes(self, more: Mapping[str, ObservedNode] | None) -> "Observation":
        """With further nodes."""
        return self if more is None or self.nodes is None else replace(self, nodes={**self.nodes, **more})

    @property
    def rendezvous(self) -> Rendezvous:
        """The one that is asked about."""
        return self.seen.rendezvous

    @property
    def name(self) -> str:
        """Name of the Rendezvous."""
        return self.rendezvous.name

    @property
    def kubectl(self) -> str:
        """How a command on this namespace begins."""
        return f"kubectl -n {self.rendezvous.namespace}"

    @property
    def labelled_pods(self) -> tuple[SeenPod, ...]:
        """Pods that carry the name of this Rendezvous, in order of their names."""
        return tuple(sorted((p for p in self.pods or () if p.label == self.name), key=lambda p: p.name))

    @property
    def pods_to_be_made(self) -> int:
        """How many labelled pods their owners have yet to make, or to make again."""
        live = [p for p in self.labelled_pods if p.hold is not Hold.ENDED and not p.leaving]
        return sum(max(0, owner.wanted - sum(p.owner == owner.ref for p in live)) for owner in self.owners)

    @property
    def pods_to_join(self) -> tuple[SeenPod, ...]:
        """Labelled pods whose process has not joined and may still do so."""
        joined = {member.pod_uid for member in (*self.members, *self.other_members)}
        return tuple(
            p for p in self.labelled_pods if p.uid not in joined and p.hold is not Hold.ENDED and not p.leaving
        )

    @property
    def waiting(self) -> tuple[Member, ...]:
        """Members that wait for a round: without a rank, or joined again after the newest one."""
        status = self.rendezvous.status
        ranked = set(status.ranks)
        return tuple(m for m in self.own_members if m.name not in ranked or m.after_round >= status.round)

    @property
    def spares(self) -> tuple[Member, ...]:
        """Living members without a rank."""
        ranked = set(self.rendezvous.status.ranks)
        return tuple(m for m in self.own_members if m.name not in ranked)

    @property
    def own_members(self) -> tuple[Member, ...]:
        """Members of this very object (not of an earlier one of the same name) that do not leave."""
        return tuple(m for m in self.members if belongs_to(m, self.rendezvous) and not m.leaving)
