"""`RendezvousSlice`: a part of the assignment of a large round; and where a name lies among the parts.

The status of a large rendezvous names no members. It says which slices hold them, in a table whose place i belongs to
the names whose hash is i: so a member knows its own slice from the status and its name alone, and reads that one.

A slice never changes, and its name holds a digest of all that is in it: who reads a slice of that name reads what the
operator meant, whoever else may have tried to publish the same round. A slice that a later round has unchanged is that
round's, too.
"""

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kube_rendezvous.printable_text import one_line, one_lines
from kube_rendezvous.resources.names import API_VERSION, RENDEZVOUS_KIND, SLICE_KIND
from kube_rendezvous.resources.past_rounds import parse_past_rounds, past_rounds_to_json
from kube_rendezvous.resources.rendezvous import PastRound, Rendezvous, RendezvousStatus, SlicedAssignment

_DIGEST_LETTERS = 10
"""Of five bits each: two slices of one rendezvous do not meet in it."""


@dataclass(frozen=True, slots=True)
class SliceContent:
    """What a slice says: who holds which rank, or, in the slice for that, the history.

    `ranks` belong to the `members` at the same places, and so do `slots`, `incarnations` and `domains` (see
    `RendezvousStatus`), if there are any.
    """

    members: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()
    slots: tuple[str, ...] = ()
    incarnations: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    history: tuple[PastRound, ...] = ()

    def rank_of(self, name: str) -> int | None:
        """None: it is not in this slice."""
        return next((rank for member, rank in zip(self.members, self.ranks, strict=False) if member == name), None)


@dataclass(frozen=True, slots=True)
class RendezvousSlice:
    """One slice. ``digest`` is what the status calls it by; ``round`` the first that it is a part of."""

    digest: str
    round: int
    content: SliceContent


def slice_index(name: str, count: int) -> int:
    """Which of so many slices holds the member of this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % count


def slice_name(rendezvous: str, digest: str) -> str:
    """Of the object that the status of this Rendezvous calls so."""
    return f"{rendezvous}-{digest}"


def digest_of(rendezvous_uid: str, round_number: int, place: str, content: SliceContent) -> str:
    """Another one for whatever else another slice of this rendezvous may be.

    Args:
        rendezvous_uid: of the Rendezvous.
        round_number: the first that the slice is a part of.
        place: in the table.
        content: all that it says.
    """
    said = repr((rendezvous_uid, round_number, place, content))
    return b32encode(hashlib.sha256(said.encode()).digest()).decode().lower()[:_DIGEST_LETTERS]


def slice_manifest(rendezvous: Rendezvous, one: RendezvousSlice) -> dict[str, Any]:
    """The body with which the operator creates it. Kubernetes removes it with the Rendezvous."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": RENDEZVOUS_KIND,
        "name": rendezvous.name,
        "uid": rendezvous.uid,
        "controller": True,
    }
    content = one.content
    spec: dict[str, Any] = {"rendezvous": rendezvous.name, "rendezvousUID": rendezvous.uid, "round": one.round}
    lists: dict[str, Sequence[Any]] = {
        "members": content.members,
        "ranks": content.ranks,
        "slots": content.slots if any(content.slots) else (),
        "incarnations": content.incarnations,
        "domains": content.domains,
    }
    spec |= {key: list(value) for key, value in lists.items() if value}
    if content.history:
        spec["history"] = past_rounds_to_json(content.history)
    metadata = {"name": slice_name(rendezvous.name, one.digest), "ownerReferences": [owner]}
    return {"apiVersion": API_VERSION, "kind": SLICE_KIND, "metadata": metadata, "spec": spec}


def parse_slice(obj: Mapping[str, Any]) -> RendezvousSlice:
    """Read a slice from the API server's JSON.

    Raises:
        KeyError, ValueError, TypeError: the object does not follow the CRD.
    """
    spec: Mapping[str, Any] = obj["spec"]
    members = one_lines(spec.get("members") or ())
    content = SliceContent(
        members=members,
        ranks=tuple(map(int, spec.get("ranks") or ())),
        slots=one_lines(spec.get("slots") or ("",) * len(members)),
        incarnations=one_lines(spec.get("incarnations") or ()),
        domains=one_lines(spec.get("domains") or ()),
        history=parse_past_rounds(spec.get("history")),
    )
    digest = one_line(obj["metadata"]["name"]).removeprefix(f"{spec['rendezvous']}-")
    return RendezvousSlice(digest, int(spec.get("round", 0)), content)


def slice_of(name: str, assignment: SlicedAssignment) -> str:
    """The digest of the slice that holds the member of this name, if any does."""
    return assignment.members[slice_index(name, len(assignment.members))]


def circles(status: RendezvousStatus) -> Iterable[tuple[str, ...]]:
    """Those who watch each other (`neighbours`): a round whose names are known, by slices if it has such."""
    if status.sliced is None:
        return (status.ranks,)
    count = len(status.sliced.members)
    parts: list[list[str]] = [[] for _ in range(count)]
    for name in status.ranks:
        parts[slice_index(name, count)].append(name)
    return map(tuple, parts)


def assembled(status: RendezvousStatus, slices: Iterable[RendezvousSlice]) -> RendezvousStatus:
    """The status with all that its slices say, as if it had said it itself.

    A rank whose slice is missing is held by somebody whom nobody knows: whoever decides on this status takes the
    holder for lost, and the round is formed anew.

    Args:
        status: that has slices.
        slices: those of its rendezvous, perhaps others among them.
    """
    assignment = status.sliced
    if assignment is None:
        return status
    known = {one.digest: one.content for one in slices}
    size = assignment.world_size
    ranks = [_unknown_holder(rank) for rank in range(size)]
    slots, incarnations, domains = [""] * size, [""] * size, [""] * size
    contents = [known[digest] for digest in assignment.members if digest in known]
    for content in contents:
        for place, (rank, member) in enumerate(zip(content.ranks, content.members, strict=False)):
            if not 0 <= rank < size:
                continue
            ranks[rank] = member
            for those, theirs in (
                (slots, content.slots),
                (incarnations, content.incarnations),
                (domains, content.domains),
            ):
                those[rank] = theirs[place] if place < len(theirs) else ""
    history = known[assignment.history].history if assignment.history in known else ()
    return replace(
        status,
        ranks=tuple(ranks),
        slots=tuple(slots),
        incarnations=tuple(incarnations),
        domains=tuple(domains) if any(content.domains for content in contents) else (),
        history=_completed(status.history, history),
    )


def digests_in(status: RendezvousStatus) -> frozenset[str]:
    """Of all slices that the status points at."""
    if status.sliced is None:
        return frozenset()
    return frozenset((*status.sliced.members, status.sliced.history))


def missing_slices(status: RendezvousStatus, slices: Iterable[RendezvousSlice]) -> frozenset[str]:
    """The digests of those that the status points at and that are not among these."""
    return digests_in(status) - {one.digest for one in slices}


def carried_over(status: RendezvousStatus, known: RendezvousStatus) -> RendezvousStatus:
    """The status with what is known of another version of it, if that has the same slices."""
    if not status.is_unread or known.is_unread or known.sliced != status.sliced:
        return status
    return replace(
        status,
        ranks=known.ranks,
        slots=known.slots,
        incarnations=known.incarnations,
        domains=known.domains,
        history=_completed(status.history, known.history),
    )


def history_unsaid(status: RendezvousStatus, before: RendezvousStatus) -> RendezvousStatus:
    """The status of the same round and slices without what only another slice could say of rounds before.

    Args:
        status: with all names.
        before: likewise, as it is written.
    """
    return replace(status, history=(*status.history[:1], *before.history[1:]))


def missing_ranks(status: RendezvousStatus) -> tuple[int, ...]:
    """The ranks whose slice was gone when the status was assembled."""
    return tuple(rank for rank, name in enumerate(status.ranks) if name == _unknown_holder(rank))


def _completed(said: tuple[PastRound, ...], known: tuple[PastRound, ...]) -> tuple[PastRound, ...]:
    """What a status says of the newest round may be newer than what its slice does, but names nobody."""
    if not known:
        return said
    return (*(replace(past, joined=known[0].joined, left=known[0].left) for past in said[:1]), *known[1:])


def _unknown_holder(rank: int) -> str:
    """No object can be called so."""
    return f"(rank {rank}: its RendezvousSlice is gone)"
