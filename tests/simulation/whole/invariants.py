"""What must hold at every write, deletion and step: the protocol, checked against what is truly there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from kube_rendezvous.membership.standing import Place, Standpoint
from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS
from simulation.whole.world import BrokenError as BrokenError
from simulation.whole.world import World

LOSSES = {"MemberLeft", "MemberSuperseded", "HeartbeatLost", "MemberDeleted"}


def require(true: bool, text: str) -> None:
    if not true:
        raise BrokenError(text)


@dataclass(slots=True)
class Invariants:
    """Knows the truth.

    Args:
        living: the names of the members whose process lives.
        rounds: what every round number of every Rendezvous UID has ever named.
        counts: how much was seen, to show that the scenarios are not too easy.
        deleted_by_hand: names of Members.
    """

    world: World
    living: Callable[[], set[str]]
    rounds: dict[tuple[str, int], RendezvousStatus] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    deleted_by_hand: set[str] = field(default_factory=set)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def status_written(self, before: Rendezvous, after: RendezvousStatus, listed_at: float) -> None:
        """An operator has replaced the status of `before`; ``listed_at``: when the Members were listed."""
        self.count("status write")
        was = before.status
        if after.round != was.round or (before.uid, after.round) not in self.rounds:
            if after.round:
                self._published(before, after, listed_at)
        else:
            self._same_assignment(self.rounds[before.uid, after.round], after)
        if after.round == was.round:
            self._telling(was, after)

    def written_without_all_names(self, before: Rendezvous, after: RendezvousStatus) -> None:
        """As `status_written`, by an operator that started after a slice had been deleted: it cannot know who has that
        rank, and takes its holder for lost."""
        self.count("status write without all names")
        if after.round and (before.uid, after.round) not in self.rounds:
            require(len(set(after.ranks)) == after.world_size, "ranks repeat")
            self.rounds[before.uid, after.round] = after

    def _same_assignment(self, known: RendezvousStatus, after: RendezvousStatus) -> None:
        parts = "ranks", "slots", "incarnations", "bootstrap_store"
        same = all(getattr(known, part) == getattr(after, part) for part in parts)
        require(same, f"round {after.round} names two assignments")

    def _published(self, before: Rendezvous, after: RendezvousStatus, listed_at: float) -> None:
        self.count("round")
        was, spec, size = before.status, before.spec, after.world_size
        require((before.uid, after.round) not in self.rounds, f"round {after.round} names two assignments")
        require(after.round == was.round + 1, f"round {after.round} follows round {was.round}")
        require(len(set(after.ranks)) == size, "ranks repeat")
        require(spec.min_nodes <= size <= spec.max_nodes, f"{size} nodes are not allowed")
        require(size % spec.node_unit == 0, f"{size} nodes are no multiple of {spec.node_unit}")
        require(len(after.slots) == len(after.incarnations) == size, "slots or incarnations are missing")
        require(after.closed is None, "a round was formed while closed")
        require(after.forming is None, "a round was formed, and yet it is being formed")
        past = after.history[0]
        require(bool(past.reason) and past.round == after.round, "a round without a reason")
        for name in set(was.ranks) - set(after.ranks):
            left = self.world.members.get(name)
            text = f"round {after.round} is without {name}, which may still run its workers"
            require(left is None or left.after_round >= was.round, text)
        for rank, name in enumerate(was.ranks[:size]):
            kept = name not in after.ranks or after.ranks[rank] == name or bool(after.domains)
            require(kept, f"{name} survived and lost rank {rank}")
        for name in after.ranks:
            member = self.world.members.get(name)
            if member is None:
                gone_at, member = self.world.gone[name]
                require(gone_at >= listed_at, f"{name} has a rank, but was gone when the Members were listed last")
            waits = name not in was.ranks or member.after_round == was.round
            require(waits, f"{name} has a rank in round {after.round}, but did not wait")
            if name == after.ranks[0]:
                store = after.bootstrap_store
                own = store is not None and (store.member, store.address, store.port) == (
                    name,
                    member.address,
                    member.port,
                )
                require(own, "the bootstrap store is not rank 0's")
        self.rounds[before.uid, after.round] = after

    def _telling(self, was: RendezvousStatus, after: RendezvousStatus) -> None:
        old, new = was.forming, after.forming
        told = old is not None and old.interrupts
        if told and after.closed is None:
            require(new is not None and new.interrupts, "interrupts was withdrawn")
        if new is not None and new.interrupts and not told and was.ranks:
            self.count(new.reason)
            require(bool(new.reason and new.message), "told without a reason")
            living = self.living()
            lost = [n for n in was.ranks if n not in living or n not in self.world.members]
            back = [n for n in was.ranks if n in self.world.members and self.world.members[n].after_round == was.round]
            if new.reason in LOSSES:
                require(bool(lost), f"told for {new.message}, but all are there")
            elif new.reason == "MemberRestarted":
                require(bool(lost or back), f"told for {new.message}, but nobody waits")
        if old is None or new is None or old.deadline is None or new.deadline is None:
            return
        if (old.round, old.reason, old.interrupts) == (new.round, new.reason, new.interrupts):
            time_to_stop = new.since + timedelta(seconds=REJOIN_SECONDS)
            require(new.deadline <= old.deadline or new.deadline == time_to_stop, "the deadline was moved later")

    def expelled(self, expulsion: Expulsion, decided_on: Rendezvous, after_round: int) -> None:
        """An operator has deleted a Member whose true ``after_round`` was this."""
        name = expulsion.member.name
        self.count(f"expelled for {expulsion.reason}")
        if expulsion.reason == "NotArrived":
            waits = after_round >= decided_on.status.round
            require(not waits, f"{name} was expelled because it had not arrived, but it waits")
        elif self.world.rendezvous is not None and expulsion.member.rendezvous_uid == self.world.rendezvous.uid:
            # Who was not told that its POST was carried out sends it again, after somebody has deleted what that made.
            made_twice = expulsion.reason == "NameTaken" and name in self.deleted_by_hand
            lives = name in self.living() and not made_twice
            require(not lives, f"{name} lives and was expelled for {expulsion.reason}")

    def took(self, label: str, name: str, place: Place) -> None:
        """A client goes to a place."""
        known = self.rounds.get((place.rendezvous_uid, place.round))
        require(known is not None, f"{label} took a place in round {place.round}, which never was")
        if known is not None:
            require(known.ranks[place.rank] == name, f"{label} took the rank of {known.ranks[place.rank]}")
            require((known.world_size, known.bootstrap_store) == (place.world_size, place.store), "another assignment")

    def told(self, label: str, seen: Rendezvous | None, me: Standpoint) -> None:
        """A client was told to stop."""
        self.count("told")
        if seen is None or seen.uid != me.rendezvous_uid or me.expelled or seen.status.closed is not None:
            return
        forming = seen.status.forming
        reason = forming is not None and forming.interrupts and bool(forming.reason)
        require(reason or seen.status.round > me.held_round, f"{label} is told to stop without a reason")
