"""Who gets which rank.

Design section 4, sticky ranks: a survivor keeps its rank; a vacated rank goes to the replacement with the same slot,
else, if the world shrinks, to the highest ranks, else to a newcomer. One lost node moves one rank. The first
assignment follows slots, then the natural order of names.

What is minimised: the number of ranks whose holder changes. Bound: with v vacated ranks and n the new world size,
at most max(v, growth) ranks below n get another holder.

With `topologyKeys` the same holds inside the interval of ranks that each domain has; `domain_order` says how the
intervals follow each other, and gives the bound.

A wish for rank 0 is fulfilled whenever a chosen member can fulfil it. A holder that does keeps rank 0. Otherwise a
member of the first domain takes it: one that has to move anyway, else one that changes places with the holder, so that
at most two more ranks move. If nobody there fulfils it, a whole domain comes to the front.
"""

from collections.abc import Collection, Mapping, Sequence

from kube_rendezvous.resources import Member
from kube_rendezvous_core.ranking.domain_order import arrange_domains
from kube_rendezvous_core.ranking.natural_order import natural_key
from kube_rendezvous_core.ranking.topology import FLAT, Topology


def assign_ranks(
    previous: Sequence[str], previous_slots: Sequence[str], chosen: Sequence[Member], topology: Topology = FLAT
) -> tuple[Member, ...]:
    """Give every chosen member a rank.

    Args:
        previous: the names of the round before; index = rank.
        previous_slots: the slots of those members, in the same order (may be shorter).
        chosen: the members of the new round, in any order, without repeats.
        topology: where they run, and on which nodes rank 0 should be.

    Returns:
        The members; index = rank.
    """
    old_rank = {name: rank for rank, name in enumerate(previous)}
    leaders = _leaders(previous, chosen, topology)
    domains: Sequence[Sequence[Member]] = [chosen]
    if topology.has_levels:
        domains = arrange_domains(old_rank, chosen, topology, leaders)
    ranks: list[Member] = []
    for members in domains:
        start = len(ranks)
        ranks.extend(_seat(start, members, old_rank, previous_slots, () if start else leaders))
    return tuple(ranks)


def _leaders(previous: Sequence[str], chosen: Sequence[Member], topology: Topology) -> Collection[str]:
    """Names of those who may have rank 0; empty: anybody."""
    if not topology.has_wish or not chosen:
        return ()
    reluctance = {member.name: topology.reluctance(member) for member in chosen}
    least = min(reluctance.values())
    if previous and reluctance.get(previous[0]) == least:
        return (previous[0],)
    return {name for name, degree in reluctance.items() if degree == least}


def _seat(
    start: int,
    members: Sequence[Member],
    old_rank: Mapping[str, int],
    previous_slots: Sequence[str],
    leaders: Collection[str],
) -> list[Member]:
    """Give members the ranks from ``start`` on; the first of these goes to a leader, if there are any."""
    size = len(members)
    if size == 1:
        return list(members)
    seats: list[Member | None] = [None] * size
    homeless: list[Member] = []
    newcomers: list[Member] = []
    for member in members:
        rank = old_rank.get(member.name)
        if rank is None:
            newcomers.append(member)
        elif start <= rank < start + size:
            seats[rank - start] = member
        else:
            homeless.append(member)
    newcomers.sort(key=place_key)
    heirs = {member.slot: member for member in reversed(newcomers) if member.slot}
    for seat, slot in enumerate(previous_slots[start : start + size]):
        if seats[seat] is None and slot in heirs:
            seats[seat] = heirs.pop(slot)
    seated = {member.name for member in seats if member is not None}
    # Who lost its rank fills the gaps before newcomers do; with both, either order moves as many.
    homeless.sort(key=lambda m: old_rank[m.name])
    waiting = [*homeless, *(m for m in newcomers if m.name not in seated)]
    if leaders:
        _seat_leader(seats, waiting, old_rank, leaders)
    rest = iter(waiting)
    return [seat if seat is not None else next(rest) for seat in seats]


def _seat_leader(
    seats: list[Member | None], waiting: list[Member], old_rank: Mapping[str, int], leaders: Collection[str]
) -> None:
    """Give the first seat to a leader: one without a seat, else a newcomer with one, else the lowest rank."""
    holder = seats[0]
    if holder is not None and holder.name in leaders:
        return
    leader = next((member for member in waiting if member.name in leaders), None)
    if leader is not None:
        waiting.remove(leader)
        if holder is not None:
            waiting.insert(0, holder)
    else:
        sitting = [(m.name in old_rank, seat, m) for seat, m in enumerate(seats) if m and m.name in leaders]
        _, seat, leader = min(sitting, key=lambda candidate: candidate[:2])
        seats[seat] = holder
    seats[0] = leader


def moved_ranks(previous: Sequence[str], ranks: Sequence[str]) -> int:
    """How many ranks of the new round have another holder than in the round before."""
    return sum(1 for rank, name in enumerate(ranks) if rank >= len(previous) or previous[rank] != name)


def place_key(member: Member) -> tuple[bool, str, str]:
    """Order of members without a rank yet: by slot if they have one, then by natural order of names."""
    return not member.slot, natural_key(member.slot), natural_key(member.name)
