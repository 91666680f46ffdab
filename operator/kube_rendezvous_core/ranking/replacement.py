"""Which spare replaces whom: one of the same domain, else of the nearest, so that no border has to move."""

from collections.abc import Collection, Sequence

from kube_rendezvous.resources import Member
from kube_rendezvous_core.ranking.topology import Path, Topology


def nearest_first(
    previous: Sequence[str], staying: Collection[str], candidates: Sequence[Member], topology: Topology
) -> tuple[Member, ...]:
    """Put those candidates first that replace the members who went, nearest in topology.

    Args:
        previous: the names of the round before; index = rank.
        staying: who of them has a place in the next round.
        candidates: the others, best first if it were not for the topology.
        topology: where they and their predecessors run.

    Returns:
        The candidates. Those who share more levels with a vacated rank come earlier; each vacated rank calls for one.
        All else keeps its order.
    """
    if not topology.has_levels:
        return tuple(candidates)
    vacated: list[Path] = []
    for rank, name in enumerate(previous):
        path = topology.path_before(rank)
        if path is not None and name not in staying:
            vacated.append(path)
    left = {member.name: (member, topology.path_of(member)) for member in candidates}
    found: list[Member] = []
    for depth in range(len(topology.ranking.topology_keys), 0, -1):
        wanted: dict[Path, list[Path]] = {}
        for path in vacated:
            wanted.setdefault(path[:depth], []).append(path)
        for name, (member, path) in list(left.items()):
            if wanted.get(path[:depth]):
                vacated.remove(wanted[path[:depth]].pop())
                found.append(member)
                del left[name]
    return (*found, *(member for member, _ in left.values()))
