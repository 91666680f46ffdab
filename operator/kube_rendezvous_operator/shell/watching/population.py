"""How many members and rendezvous there are in each state: counted from the caches when somebody asks."""

from collections import Counter
from collections.abc import Iterable, Mapping

from kube_rendezvous.resources import Member, RendezvousStatus, State
from kube_rendezvous_operator.shell.watching.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.watching.rendezvous_cache import RendezvousCache

MEMBER_STATES = ("ranked", "waiting", "standby", "surplus", "unknown")


def members_by_state(rendezvous: RendezvousCache, caches: Iterable[MemberCache]) -> Mapping[str, int]:
    """Every member that lives, by what the status of its Rendezvous says of it."""
    count = Counter(dict.fromkeys(MEMBER_STATES, 0))
    for cache in caches:
        for key, members in cache.everybody().items():
            count.update(_states(rendezvous, key, members))
    return count


def rendezvous_by_state(rendezvous: RendezvousCache) -> Mapping[str, int]:
    """Every Rendezvous by its one-word state."""
    count = Counter({str(state): 0 for state in State})
    for key in rendezvous.all_keys():
        known = rendezvous.get(key)
        if known is not None:
            count[str(known.rendezvous.status.state)] += 1
    return count


def _states(rendezvous: RendezvousCache, key: Key, members: Iterable[Member]) -> Iterable[str]:
    known = rendezvous.get(key)
    if known is None:
        return ["unknown" for _ in members]
    status = known.rendezvous.status
    ranks, spares, surplus = set(status.ranks), set(status.spares), set(status.surplus)
    return [_state(member, status, ranks, spares, surplus) for member in members]


def _state(member: Member, status: RendezvousStatus, ranks: set[str], spares: set[str], surplus: set[str]) -> str:
    if member.name in ranks:
        return "waiting" if member.after_round >= status.round else "ranked"
    if member.name in surplus:
        return "surplus"
    return "standby" if member.name in spares else "waiting"
