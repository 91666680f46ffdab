"""What can be broken on purpose, to show that the simulation finds it."""

from dataclasses import replace
from enum import StrEnum

from kube_rendezvous.resources import BootstrapStore, Member, RendezvousStatus


class Fault(StrEnum):
    """One planted fault each."""

    NO_FENCE = "no fence on the status write"
    RANKS_BY_ARRIVAL = "ranks by arrival"
    CACHE_KEPT_OVER_RELIST = "cache kept over a relist"
    DEADLINE_RESET_AT_RESTART = "deadline reset at restart"
    DELETE_WITHOUT_PRECONDITION = "delete without precondition"
    NO_SECOND_LOOK = "no second look on a stale cache"
    SILENCE_COUNTED_WHILE_CUT = "silence counted while the watch is cut, unproven"
    CLIENT_NEVER_REJOINS = "client that never re-joins"
    INTERRUPTS_WITHDRAWN = "interrupts withdrawn"
    STORE_OF_ANOTHER_MEMBER = "store of another member"


def spoil(
    faults: frozenset[Fault], before: RendezvousStatus, after: RendezvousStatus, members: dict[str, Member]
) -> RendezvousStatus:
    """The status that a core with these faults would write instead."""
    published = after.round > before.round
    if published and Fault.RANKS_BY_ARRIVAL in faults:
        ranks = tuple(sorted(after.ranks, key=lambda name: (members[name].created, name)))
        first = members[ranks[0]]
        store = BootstrapStore(first.name, first.address, first.port)
        after = replace(after, ranks=ranks, slots=tuple(members[name].slot for name in ranks), bootstrap_store=store)
    if published and Fault.STORE_OF_ANOTHER_MEMBER in faults:
        last = members[after.ranks[-1]]
        after = replace(after, bootstrap_store=BootstrapStore(last.name, last.address, last.port))
    told = before.forming is not None and before.forming.interrupts
    forming = after.forming
    if Fault.INTERRUPTS_WITHDRAWN in faults and told and forming is not None and forming.deadline is None:
        after = replace(after, forming=replace(forming, interrupts=False))
    return after
