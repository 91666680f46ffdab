"""A node as a real client behaves: it joins, waits, runs a round, is told, stops, joins again, dies."""

from dataclasses import dataclass
from enum import Enum, auto

from kube_rendezvous.resources import Member
from simulation.simulated_cluster import Cluster


class Phase(Enum):
    """What the node does. STOPPING: it was told, and its workers may still run."""

    WAITING = auto()
    RUNNING = auto()
    STOPPING = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class Node:
    """One process.

    Args:
        place: number of its pod and slot; a process that is restarted has its predecessor's.
        process: distinguishes processes in one place.
        name: of its present Member object.
        uid: of the Rendezvous it has joined.
        holds: the newest round it has taken.
    """

    cluster: Cluster
    place: int
    process: int
    incarnation: int = 0
    name: str = ""
    uid: str = ""
    holds: int = 0
    phase: Phase = Phase.WAITING

    def __post_init__(self) -> None:
        self.join()

    @property
    def alive(self) -> bool:
        return self.phase is not Phase.GONE

    @property
    def member(self) -> Member | None:
        """Its own object, if it is there."""
        return self.cluster.members.get(self.name)

    def join(self) -> None:
        """Create a Member: the first, or a new incarnation after expulsion."""
        self.incarnation += 1
        self.name = f"n{self.place}-{self.process}-{self.incarnation}"
        self.uid = self.cluster.rendezvous.uid
        self.holds, self.phase = 0, Phase.WAITING
        # Every third place is outside a pod and has no slot.
        in_pod = self.place % 3 != 2
        self.cluster.create_member(
            self.name,
            port=1 + self.place,
            pod_uid=f"pod-{self.place}" if in_pod else "",
            slot=str(self.place) if in_pod else "",
            holds_place=in_pod,
        )

    def join_again(self) -> None:
        """The workers have stopped, because they failed or were told to."""
        if self.member is None or self.uid != self.cluster.rendezvous.uid:
            self.join()
        else:
            self.cluster.patch_members({self.name: {"after_round": self.holds}})
            self.phase = Phase.WAITING

    def look(self) -> None:
        """Read the newest Rendezvous and the own Member, and act on them."""
        rendezvous, member = self.cluster.rendezvous, self.member
        status = rendezvous.status
        lost_its_place = member is None or self.uid != rendezvous.uid
        if self.phase is Phase.WAITING:
            if status.closed is not None and not status.closed.reopens_on_join and self.uid == rendezvous.uid:
                self.close()
            elif lost_its_place:
                self.join()
            elif self.name in status.ranks and member is not None and status.round > member.after_round:
                self.holds, self.phase = status.round, Phase.RUNNING
        elif self.phase is Phase.RUNNING:
            newer = status.round > self.holds
            assert lost_its_place or not (newer and self.name in status.ranks), f"{self.name} was ranked while it ran"
            forming = status.forming
            interrupted = forming is not None and forming.interrupts and status.round == self.holds
            if lost_its_place or newer or interrupted:
                self.phase = Phase.STOPPING

    def die(self) -> None:
        """SIGKILL."""
        self.phase = Phase.GONE

    def leave(self) -> None:
        """End without closing."""
        self.cluster.patch_members({self.name: {"leaving": True}})
        self.phase = Phase.GONE

    def close(self, reason: str = "") -> None:
        """End as torch's `shutdown` does: leave, and close."""
        farewell = {"leaving": True, "close_requested": True, "close_reason": reason}
        self.cluster.patch_members({self.name: farewell})
        self.phase = Phase.GONE
