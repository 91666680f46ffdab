"""Cuts the assignment of a large round into slices: what is sent to all grows with their number, not with its square.

The names of N members in the status go to N members: a round of 4,000 is 256 MB. In slices each member gets a status
that names nobody, and one slice of some hundred names; and the same hash decides in every round which slice a name
belongs to, so that a round after one loss changes two slices or three, and nobody else reads anything at all.

What follows for the writing is told by `reconciling.slice_writing`: all new slices first, then the status.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from kube_rendezvous.resources import MOST_NAMED_IN_STATUS, RendezvousStatus, SlicedAssignment
from kube_rendezvous.resources.rank_keys import rank_keys
from kube_rendezvous.resources.rendezvous_slice import (
    RendezvousSlice,
    SliceContent,
    digest_of,
    digests_in,
    missing_ranks,
    slice_index,
)

HISTORY = "history"


@dataclass(frozen=True, slots=True)
class SliceSizes:
    """How large a round has slices, and how large these are.

    Args:
        above: members; a round of so many names them in its status.
        names: members of a slice on the average, at the most when they are cut anew.
        inline: members that a status can name at all: up to so many, there is a way without slices.
        keyed: members up to which a status that has slices tells each its rank all the same (`resources.rank_keys`).
            Their bytes grow with the square of the size, too, and are a third of the names'.
    """

    above: int = 500
    names: int = 100
    inline: int = MOST_NAMED_IN_STATUS
    keyed: int = MOST_NAMED_IN_STATUS

    def keep(self, size: int, count: int) -> bool:
        """Whether a round of this size is still cut into so many: one that grows or shrinks shall change few slices."""
        return count * self.names // 4 <= size <= count * self.names * 3 // 2


@dataclass(frozen=True, slots=True)
class Cut:
    """A status that points at slices, and those of them that no earlier round has."""

    status: RendezvousStatus
    new: tuple[RendezvousSlice, ...] = ()


def cut(
    before: RendezvousStatus,
    after: RendezvousStatus,
    rendezvous_uid: str,
    sizes: SliceSizes,
    gone: Collection[str] = (),
) -> Cut:
    """Cut the assignment of a round.

    Args:
        before: the status as it is, with all names.
        after: the one that publishes the round, with all names.
        rendezvous_uid: of the Rendezvous.
        sizes: see there.
        gone: digests of slices that somebody has deleted.
    """
    known = before.sliced.members if before.sliced is not None else ()
    count = _count(len(after.ranks), len(known), sizes)
    parts = _parts(after, count)
    kept = _parts(before, count) if len(known) == count and not missing_ranks(before) else []
    new: list[RendezvousSlice] = []
    digests: list[str] = []
    for place, content in enumerate(parts):
        if kept and kept[place] == content and known[place] not in gone:
            digests.append(known[place])
            continue
        new.append(_slice(rendezvous_uid, after.round, str(place), content))
        digests.append(new[-1].digest)
    new.append(_slice(rendezvous_uid, after.round, HISTORY, SliceContent(history=after.history)))
    keys = rank_keys(after.ranks) if len(after.ranks) <= sizes.keyed else b""
    sliced = SlicedAssignment(len(after.ranks), tuple(digests), new[-1].digest, keys)
    return Cut(replace(after, sliced=sliced), tuple(new))


def mended(status: RendezvousStatus, rendezvous_uid: str, gone: Collection[str]) -> Cut:
    """The same round with other slices in the place of some: who found one gone reads what the status says then.

    Args:
        status: with all names.
        rendezvous_uid: of the Rendezvous.
        gone: digests of slices that somebody has deleted.
    """
    if status.sliced is None or missing_ranks(status):
        return Cut(status)
    former = (*status.sliced.members, status.sliced.history)
    parts = [*_parts(status, len(former) - 1), SliceContent(history=status.history)]
    digests = list(former)
    new: list[RendezvousSlice] = []
    for place, (digest, content) in enumerate(zip(former, parts, strict=True)):
        if digest in gone:
            new.append(_slice(rendezvous_uid, status.round, f"instead of {digest}", content))
            digests[place] = new[-1].digest
    sliced = replace(status.sliced, members=tuple(digests[:-1]), history=digests[-1])
    return Cut(replace(status, sliced=sliced), tuple(new))


def without_idle_keys(status: RendezvousStatus) -> RendezvousStatus:
    """The status of a round that is being replaced, without rank keys: to be told of that is urgent, and small then.

    Who runs the round knows its rank. Who has not taken its place yet finds it in its slice.
    """
    if status.sliced is None or status.forming is None or not status.forming.interrupts:
        return status
    return replace(status, sliced=replace(status.sliced, rank_keys=b""))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Digests of slices that a status does not point at.

    Args:
        past: of earlier rounds. A status keeps slices of the one before it only: none will point at these again.
        present: of the same round. Another operator may have published one since, in the place of one that somebody
            deleted: to be looked at again when the next status has been written.
    """

    past: frozenset[str]
    present: frozenset[str]


def leftovers(slices: Iterable[RendezvousSlice], newest: RendezvousStatus, *older: RendezvousStatus) -> Leftovers:
    """Which slices nobody is pointed at. One of a round to come is none: another operator may be about to publish it.

    Args:
        slices: all that there are.
        newest: a status that was written.
        older: those that slow readers may still have.
    """
    needed = digests_in(newest).union(*map(digests_in, older))
    loose = [one for one in slices if one.digest not in needed]
    return Leftovers(
        past=frozenset(one.digest for one in loose if one.round < newest.round),
        present=frozenset(one.digest for one in loose if one.round == newest.round),
    )


def _slice(uid: str, number: int, place: str, content: SliceContent) -> RendezvousSlice:
    return RendezvousSlice(digest_of(uid, number, place, content), number, content)


def _count(size: int, before: int, sizes: SliceSizes) -> int:
    """A power of two."""
    if before and sizes.keep(size, before):
        return before
    count = 1
    while size > count * sizes.names:
        count *= 2
    return count


def _parts(status: RendezvousStatus, count: int) -> list[SliceContent]:
    places: list[list[int]] = [[] for _ in range(count)]
    for rank, name in enumerate(status.ranks):
        places[slice_index(name, count)].append(rank)
    return [_part(status, ranks) for ranks in places]


def _part(status: RendezvousStatus, ranks: list[int]) -> SliceContent:
    return SliceContent(
        members=_at(status.ranks, ranks),
        ranks=tuple(ranks),
        slots=_at(status.slots, ranks),
        incarnations=_at(status.incarnations, ranks),
        domains=_at(status.domains, ranks) if status.domains else (),
    )


def _at(values: tuple[str, ...], ranks: list[int]) -> tuple[str, ...]:
    return tuple(values[rank] if rank < len(values) else "" for rank in ranks)
