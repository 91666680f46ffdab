"""Who gets which rank.

Design section 4, sticky ranks: a survivor keeps its rank; a vacated rank goes to the replacement with the same slot,
else to a newcomer, else, if the world shrinks, to the highest ranks. One lost node moves one rank. The first
assignment follows slots, then the natural order of names.

What is minimised: the number of ranks whose holder changes. Bound: with v vacated ranks and n the new world size,
at most max(v, growth) ranks below n get another holder.
"""

from collections.abc import Sequence

from kube_rendezvous.resources import Member
from kube_rendezvous_operator.core.natural_order import NaturalKey, natural_key


def assign_ranks(
    previous: Sequence[str], previous_slots: Sequence[str], chosen: Sequence[Member]
) -> tuple[Member, ...]:
    """Give every chosen member a rank.

    Args:
        previous: the names of the round before; index = rank.
        previous_slots: the slots of those members, in the same order (may be shorter).
        chosen: the members of the new round, in any order, without repeats.

    Returns:
        The members; index = rank.
    """
    size = len(chosen)
    old_rank = {name: rank for rank, name in enumerate(previous)}
    seats: list[Member | None] = [None] * size
    homeless: list[Member] = []
    newcomers: list[Member] = []
    for member in chosen:
        rank = old_rank.get(member.name)
        if rank is None:
            newcomers.append(member)
        elif rank < size:
            seats[rank] = member
        else:
            homeless.append(member)
    newcomers.sort(key=place_key)
    heirs = {member.slot: member for member in reversed(newcomers) if member.slot}
    for rank, slot in enumerate(previous_slots[:size]):
        if seats[rank] is None and slot in heirs:
            seats[rank] = heirs.pop(slot)
    seated = {member.name for member in seats if member is not None}
    # The highest ranks of a shrunken world fill the gaps before newcomers do; with both, either order moves as many.
    homeless.sort(key=lambda m: old_rank[m.name])
    rest = iter([*homeless, *(m for m in newcomers if m.name not in seated)])
    return tuple(seat if seat is not None else next(rest) for seat in seats)


def moved_ranks(previous: Sequence[str], ranks: Sequence[str]) -> int:
    """How many ranks of the new round have another holder than in the round before."""
    return sum(1 for rank, name in enumerate(ranks) if rank >= len(previous) or previous[rank] != name)


def place_key(member: Member) -> tuple[bool, NaturalKey, NaturalKey]:
    """Order of members without a rank yet: by slot if they have one, then by natural order of names."""
    return not member.slot, natural_key(member.slot), natural_key(member.name)
