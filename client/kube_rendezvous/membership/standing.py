"""What a member must answer, from its own state and the newest Rendezvous alone. No I/O, no clock, no threads.

Rules of design section 4: a member waits while it is not in `ranks` or its `afterRound` >= `status.round`; it is told
to stop when its round is being formed anew with `interrupts`, when a newer round was published without it, or when it
lost its Member object; a rendezvous of another UID under the same name is another rendezvous. Where the storage was set
back, whoever knows of a later round joins as somebody new that waits for one later still.
"""

from dataclasses import dataclass, replace

from kube_rendezvous.membership.own_slice import NOT_READ, OwnSlice, rank_in, unread_circle, unread_slice
from kube_rendezvous.resources import BootstrapStore, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.names import CLIENT_MANAGER


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a published round."""

    round: int
    rank: int
    world_size: int
    store: BootstrapStore
    rendezvous_uid: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do but wait. ``spare``: a round stands without us, and we are not late but surplus."""

    why: str
    spare: bool = False


@dataclass(frozen=True, slots=True)
class ClosedForUs:
    """No round will be formed for this member."""

    why: str


@dataclass(frozen=True, slots=True)
class SentHome:
    """There are spares enough: end without an error (torch's `RendezvousGracefulExitError`)."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No round takes this member: another one lives in its place."""

    why: str


@dataclass(frozen=True, slots=True)
class MustJoin:
    """There is no valid Member object for us: join (again) as a new incarnation."""

    why: str


@dataclass(frozen=True, slots=True)
class MustRejoin:
    """Say that we hold no round newer than ``after_round`` and wait for one."""

    after_round: int


@dataclass(frozen=True, slots=True)
class MustRead:
    """A large round stands, and the slice of this digest says whether we are in it, and with which rank."""

    round: int
    digest: str


@dataclass(frozen=True, slots=True)
class MustCreate:
    """There is no Rendezvous. ``by_client``: the one that was there had been made by a client, not by a person."""

    by_client: bool


@dataclass(frozen=True, slots=True)
class BeingDeleted:
    """The Rendezvous goes, and a finalizer may keep it for long: whatever is written to it now goes with it."""

    why: str


Standing = (
    Place | Waiting | ClosedForUs | SentHome | Refused | MustJoin | MustRejoin | MustRead | MustCreate | BeingDeleted
)


@dataclass(frozen=True, slots=True)
class Standpoint:
    """What a member knows of itself.

    Args:
        name: of its Member object; "" before the first join.
        rendezvous_uid: of the Rendezvous that the Member belongs to.
        after_round: the newest round it has said it holds.
        seen_round: the newest round there was when it joined, came back or took its place.
        known_round: the newest that an earlier incarnation of this node saw of the same Rendezvous.
        held_round: the round whose place it has taken; 0 before the first.
        held: that place.
        held_with: the members of that round, if its status named them.
        expelled: its Member object is known to be gone.
        made_by_client: the Rendezvous it knew was made by a client.
        places: where it sits, as `status.quarantined` names such places.
        read: what it has read in the slice that is its own.
    """

    name: str = ""
    rendezvous_uid: str = ""
    after_round: int = 0
    held_round: int = 0
    expelled: bool = False
    made_by_client: bool = False
    places: frozenset[str] = frozenset()
    read: OwnSlice = NOT_READ
    held: Place | None = None
    held_with: tuple[str, ...] = ()
    seen_round: int = 0
    known_round: int = 0

    def joined(self, name: str, rendezvous: Rendezvous) -> "Standpoint":
        """After the POST of a Member."""
        seen = rendezvous.status.round
        known = max(self.known_round, self.seen_round) if self.rendezvous_uid == rendezvous.uid else 0
        return Standpoint(
            name,
            rendezvous.uid,
            after_round=known if known > seen else 0,  # it was set back: numbers that were ours are given again
            made_by_client=rendezvous.managed_by == CLIENT_MANAGER,
            places=self.places,
            seen_round=seen,
            known_round=known,
        )

    def stepped_aside(self) -> "Standpoint":
        """It gives up its place, and will join as a new incarnation."""
        uid, seen = self.rendezvous_uid, self.seen_round
        kept = Standpoint(rendezvous_uid=uid, made_by_client=self.made_by_client, places=self.places, seen_round=seen)
        return replace(kept, known_round=self.known_round)

    def rejoined(self, after_round: int) -> "Standpoint":
        """After the PATCH that says: I hold no round newer than this and wait for one."""
        return replace(self, after_round=after_round, seen_round=max(after_round, self.seen_round))

    def reminded(self, sent: "Standpoint", stored: int) -> "Standpoint":
        """After a write whose answer says which round it is known to hold: less than was said, a backup has forgotten.

        Args:
            sent: what it knew of itself when it wrote.
            stored: `afterRound` of its Member.
        """
        forgotten = sent.name == self.name and stored < sent.after_round == self.after_round
        return replace(self, after_round=stored) if forgotten else self

    def took(self, place: Place, ranks: tuple[str, ...] = ()) -> "Standpoint":
        """After taking a place in a round of these members, if they are known."""
        return replace(self, held_round=place.round, held=place, held_with=ranks, seen_round=place.round)


def standing(rendezvous: Rendezvous | None, me: Standpoint) -> Standing:
    """Where a member that wants a round stands.

    Args:
        rendezvous: the newest version seen; None: there is none.
        me: what the member knows of itself.
    """
    if rendezvous is None:
        return MustCreate(by_client=me.made_by_client)
    if rendezvous.being_deleted:
        return BeingDeleted(_why_it_is_still_there(rendezvous))
    status, closed = rendezvous.status, rendezvous.status.closed
    if closed is not None and not closed.reopens_on_join:
        return ClosedForUs(closed.message)
    if rendezvous.spec.closed:
        return ClosedForUs("spec.closed is true; set it to false to open the rendezvous again")
    if not me.name:
        return MustJoin("it has not joined yet")
    if me.rendezvous_uid != rendezvous.uid:
        return MustJoin("the Rendezvous was deleted and created anew")
    if me.expelled:
        return MustJoin("its RendezvousMember object is gone: the operator took it for lost, or somebody deleted it")
    if is_set_back(status, me):
        return MustJoin("the API server's storage was restored from a backup of before our round")
    if me.held_round > me.after_round:
        return MustRejoin(me.held_round)
    if me.name in status.surplus:
        world = f"round {status.round} stands with {status.world_size} nodes"
        return SentHome(f"{world}, and no more than spec.standby.max ({rendezvous.spec.max_spares}) spares stand by")
    refusal = next((one.message for one in status.refused if one.member == me.name), None)
    if refusal is not None:
        return Refused(refusal)
    if status.round <= me.after_round:
        return _waiting(rendezvous, me)
    if (unread := unread_slice(status, me.name, me.read)) is not None:
        return MustRead(status.round, unread)
    rank = rank_in(status, me.name, me.read)
    if rank is None or status.bootstrap_store is None:
        return _waiting(rendezvous, me)
    if _is_replaced(status) or status.round <= me.known_round:  # the latter: set back, and a number given again
        return MustRejoin(max(status.round, me.known_round))
    return Place(status.round, rank, status.world_size, status.bootstrap_store, rendezvous.uid)


def nodes_waiting(rendezvous: Rendezvous | None, me: Standpoint) -> int:
    """Answer of `num_nodes_waiting`: above 0 tells a running member to stop and to join again.

    A Rendezvous that is gone or closed tells nobody to stop: what runs may finish. Only one that was closed because its
    round has failed does: who stops then learns from its next join why no other round follows.
    """
    if me.held_round == 0 or rendezvous is None:
        return 0
    closed = rendezvous.status.closed
    if closed is not None:
        return 1 if closed.interrupts and rendezvous.uid == me.rendezvous_uid else 0
    if rendezvous.uid != me.rendezvous_uid or me.expelled:
        return 1
    status = rendezvous.status
    if status.round > me.held_round or is_set_back(status, me):
        return 1
    if status.round == me.held_round and _is_replaced(status) and status.forming is not None:
        return max(1, status.forming.arrived)
    return 0


def is_set_back(status: RendezvousStatus, me: Standpoint) -> bool:
    """Whether the newest round that we know of is not known any more: the storage was restored from a backup of before.

    Its number is given again, if it has not been: a round is ours only with the store, the size and, where no slices
    hold them, the members that we saw.
    """
    if status.round < me.seen_round:
        return True
    if me.held is None or me.held.round != status.round:
        return False
    others = bool(me.held_with and status.ranks) and me.held_with != status.ranks
    return others or not _is_the_round_of(me.held, status)


def _is_the_round_of(place: Place, status: RendezvousStatus) -> bool:
    is_there = (status.round, status.world_size, status.bootstrap_store)
    return is_there == (place.round, place.world_size, place.store)


def holds_a_place(rendezvous: Rendezvous | None, me: Standpoint) -> bool:
    """Whether the member has taken a place in the newest round."""
    if rendezvous is None or rendezvous.uid != me.rendezvous_uid or me.held_round == 0:
        return False
    return _is_in(rendezvous.status, me)


def is_superseded(rendezvous: Rendezvous | None, place: Place) -> bool:
    """Whether a place is not worth going to any more: its round is replaced, or being replaced."""
    if rendezvous is None:
        return False
    if rendezvous.uid != place.rendezvous_uid or rendezvous.status.closed is not None:
        return True
    return not _is_the_round_of(place, rendezvous.status) or _is_replaced(rendezvous.status)


def _is_replaced(status: RendezvousStatus) -> bool:
    return status.forming is not None and status.forming.interrupts


def circle(status: RendezvousStatus, me: Standpoint) -> tuple[str, ...]:
    """Those who watch each other (`resources.neighbours`): the round, or, of one in slices, those in one's own.

    A slice that was deleted and is made again has another digest; whoever had to read the first to run the round does
    not read it again.
    """
    if not status.is_unread:
        return status.ranks
    had_to = status.sliced is not None and not status.sliced.rank_keys
    runs = had_to and (me.held_round, me.name) == (status.round, me.read.name)
    return me.read.members if runs or unread_circle(status, me.name, me.read) is None else ()


def slice_of_circle(status: RendezvousStatus, me: Standpoint) -> str:
    """The digest of the slice that names those who watch each other, where nothing else made the member read it; ""."""
    if status.sliced is None or not status.sliced.rank_keys or rank_in(status, me.name, me.read) is None:
        return ""
    return unread_circle(status, me.name, me.read) or ""


def _is_in(status: RendezvousStatus, me: Standpoint) -> bool:
    """Whether the newest round has this member; of a slice that it has not read it knows only if it took its place."""
    if unread_slice(status, me.name, me.read) is not None:
        return me.held_round == status.round
    return rank_in(status, me.name, me.read) is not None


def _why_it_is_still_there(rendezvous: Rendezvous) -> str:
    if not rendezvous.finalizers:
        return "it is being deleted"
    return (
        f"it is being deleted and held by the finalizer {' and '.join(rendezvous.finalizers)}: whoever set that has to "
        f"let it go, or you do: `kubectl -n {rendezvous.namespace} edit rdzv {rendezvous.name}`"
    )


def _waiting(rendezvous: Rendezvous, me: Standpoint) -> Waiting:
    status, forming = rendezvous.status, rendezvous.status.forming
    left_out = next((place for place in status.quarantined if place.place in me.places), None)
    if left_out is not None:
        why = f"no round takes us: {left_out.message or left_out.place + ' is quarantined'}"
        return Waiting(why, spare=status.round > 0 and not _is_replaced(status))
    # Who has joined again holds a place until the operator takes notice: if that never does, this wait must end.
    beside = status.round > 0 and not _is_in(status, me)
    if forming is None and status.round > 0 and not beside:
        return Waiting(f"the operator has not taken notice yet that this node joined again after round {status.round}")
    if forming is None and beside:
        text = f"round {status.round} stands with {status.world_size} nodes without us; standing by for the next one"
        return Waiting(text, spare=True)
    if forming is None:
        return Waiting("the operator has not looked at it yet")
    text = f"{forming.arrived} of {forming.required} required nodes wait for round {forming.round} ({forming.reason})"
    if forming.deadline is not None:
        text += f", last call until {forming.deadline:%H:%M:%S} UTC"
    if forming.waiting_for:
        text += f", still to come: {', '.join(forming.waiting_for)}"
    return Waiting(text, spare=beside and not forming.interrupts)
