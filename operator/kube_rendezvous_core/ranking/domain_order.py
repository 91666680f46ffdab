"""In which order the domains of the topology follow each other along the ranks.

Every domain, at every level, gets one interval of ranks, without exception: a border inside a domain costs two slow
edges of the ring in every step of a whole round, a moved rank costs its holder one reload, in a round for which
everybody restarts anyway. So the ring 0..n-1,0 crosses between the d domains of a level d times (0 times if d = 1),
the fewest possible.

The intervals follow from the order of siblings, and a member whose old rank lies in its domain's interval keeps it. A
rank then changes its holder only if it was vacated, is new, or passes from one domain to another.

What is minimised: the ranks whose holder changes, over three orders of siblings, at each level, outermost first:
(1) the order of the round before, new domains last; (2) the same, but a gap that a vanished or shrunken domain leaves
in front of the next one is filled by a domain of exactly that size: a new one, or one whose old place is taken, else
the last one; (3) the same with the domain nearest in size. Losing a whole rack thus moves one rack, not all behind it.
To find the best of all orders is a packing problem; these three hold the bound and come close.

Bound: l members went and c came since a round that was arranged by the same labels, and d innermost domains have
members in one of the two rounds: at most d * max(l, c) ranks have another holder. For under (1) a border between two
domains moves by the members that came before it less those that went, so by at most max(l, c); the d - 1 borders pass
over at most (d - 1) * max(l, c) ranks, and vacated and new ranks are at most max(l, c). One loss and its replacement
in the same domain leave every border where it is and move one rank. Only a wish for rank 0 may cost more (see
`ranking`).
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kube_rendezvous.resources import Member
from kube_rendezvous_core.ranking.natural_order import natural_key
from kube_rendezvous_core.ranking.topology import Topology

_PLACES_TRIED = 4000  # how many children all orders may have together that are tried for a wished rank 0


@dataclass(slots=True)
class _Domain:
    """A domain while an order is sought.

    Args:
        members: of an innermost domain.
        survivors: old ranks of those of them who were in the round before.
        first_old_rank, old_ranks, old_rank_sum: over the ranks that were in this domain, vacated ones included.
        leads: it holds somebody who may have rank 0.
        stay_from, stay_until: where the domain may begin for its survivors to keep their ranks, as long as the order
            within it stays that of the round before: the first such rank of each survivor, sorted; the last of each.
    """

    name: str
    children: dict[str, "_Domain"] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)
    size: int = 0
    first_old_rank: int = -1
    old_ranks: int = 0
    old_rank_sum: int = 0
    leads: bool = False
    stay_from: list[int] = field(default_factory=list)
    stay_until: list[int] = field(default_factory=list)


def arrange_domains(
    old_rank: Mapping[str, int], chosen: Sequence[Member], topology: Topology, leaders: Collection[str]
) -> tuple[tuple[Member, ...], ...]:
    """Sort members into innermost domains and order those.

    Args:
        old_rank: rank in the round before, by name, of everybody who was in it.
        chosen: the members of the new round.
        topology: where they and their predecessors run.
        leaders: names of chosen members; one of them is in the first domain. Empty: anybody may be.

    Returns:
        The innermost domains in the order of their ranks, each with its members in no particular order.
    """
    root = _tree(old_rank, chosen, topology, leaders)
    _settle_previous_order(root)
    return tuple(tuple(domain.members) for domain in _arranged(root, 0, bool(leaders)))


def _tree(
    old_rank: Mapping[str, int], chosen: Sequence[Member], topology: Topology, leaders: Collection[str]
) -> _Domain:
    root = _Domain("")
    vacated = dict(old_rank)
    for member in chosen:
        path = topology.path_of(member)
        rank = vacated.pop(member.name, None)
        domain = root
        for step in (*path, None):
            domain.size += 1
            domain.leads = domain.leads or member.name in leaders
            if rank is not None:
                _remember(domain, rank)
            if step is not None:
                domain = domain.children.get(step) or domain.children.setdefault(step, _Domain(step))
        domain.members.append(member)
        if rank is not None:
            domain.survivors.append(rank)
    for rank in vacated.values():
        domain = root
        for step in topology.path_before(rank) or ():
            if step not in domain.children:
                break
            domain = domain.children[step]
            _remember(domain, rank)
    return root


def _remember(domain: _Domain, rank: int) -> None:
    domain.first_old_rank = rank if domain.old_ranks == 0 else min(domain.first_old_rank, rank)
    domain.old_ranks += 1
    domain.old_rank_sum += rank


def _settle_previous_order(domain: _Domain) -> None:
    """Order all children as in the round before, new ones behind them, and note what is where in that order."""
    if not domain.children:
        domain.stay_until = sorted(domain.survivors)
        domain.stay_from = [rank - domain.size + 1 for rank in domain.stay_until]
        return
    ordered = sorted(domain.children.values(), key=_previous_place)
    domain.children = {child.name: child for child in ordered}
    offset = 0
    for child in ordered:
        _settle_previous_order(child)
        domain.stay_from.extend([rank - offset for rank in child.stay_from])
        domain.stay_until.extend([rank - offset for rank in child.stay_until])
        offset += child.size
    domain.stay_from.sort()
    domain.stay_until.sort()


def _previous_place(domain: _Domain) -> tuple[bool, float, bool, object]:
    new = domain.old_ranks == 0
    mean = 0.0 if new else domain.old_rank_sum / domain.old_ranks
    return new, mean, not domain.name, natural_key(domain.name)


def _arranged(domain: _Domain, start: int, leading: bool) -> Iterator[_Domain]:
    """The innermost domains in their final order, if this domain begins at rank ``start``."""
    if not domain.children:
        yield domain
        return
    order = max(_orders(domain, start, leading), key=lambda order: _stay_in(order, start))
    for child in order:
        yield from _arranged(child, start, leading and child is order[0])
        start += child.size


def _stay_in(order: Iterable[_Domain], start: int) -> int:
    """How many members keep their ranks in that order of siblings, as long as nothing changes within them."""
    stay = 0
    for child in order:
        stay += _stay(child, start)
        start += child.size
    return stay


def _stay(domain: _Domain, start: int) -> int:
    return bisect_right(domain.stay_from, start) - bisect_left(domain.stay_until, start)


def _orders(domain: _Domain, start: int, leading: bool) -> list[list[_Domain]]:
    """Orders of the children worth comparing; of equals the first wins."""
    before = list(domain.children.values())
    if len(before) == 1:
        return [before]
    if not leading and _stay_in(before, start) == len(domain.stay_until):
        return [before]
    orders = [before, _gaps_filled(before, start, exactly=True), _gaps_filled(before, start, exactly=False)]
    if not leading:
        return orders
    allowed = [order for order in orders if order[0].leads]
    if not before[0].leads:
        allowed.extend(_led(before))
    return allowed


def _led(order: list[_Domain]) -> Iterator[list[_Domain]]:
    """Ways to bring a child to the front that holds somebody who may have rank 0."""
    first = order[0]
    # Those of the first domain's size first: to exchange them moves nobody else.
    leaders = sorted((child for child in order if child.leads), key=lambda child: abs(child.size - first.size))
    for leader in leaders[: max(1, _PLACES_TRIED // (2 * len(order)))]:
        yield [leader, *(child for child in order if child is not leader)]
        exchanged = {id(first): leader, id(leader): first}
        yield [exchanged.get(id(child), child) for child in order]


def _gaps_filled(before: list[_Domain], start: int, *, exactly: bool) -> list[_Domain]:
    """The order of the round before, but what stands behind a gap keeps its place if something fits into the gap."""
    loose = _Loose(before)
    order: list[_Domain] = []
    for child in before:
        if child.old_ranks == 0 or not loose.settle(child):
            continue
        while (gap := child.first_old_rank - start) > 0:
            filler = loose.take(gap, 0 if exactly else gap - 1)
            if filler is None:
                break
            order.append(filler)
            start += filler.size
        if start > child.first_old_rank and not _stay(child, start):
            loose.add(child)  # its place is taken: wherever it goes, it moves as a whole
        else:
            order.append(child)
            start += child.size
    return order + loose.rest()


class _Loose:
    """Domains that may fill gaps: first those without a place, then, of those that have one, the last."""

    def __init__(self, before: Sequence[_Domain]) -> None:
        self._settled: set[int] = set()
        self._without_place: dict[int, deque[_Domain]] = {}  # by size
        self._with_place: dict[int, list[_Domain]] = {}
        self._added: list[_Domain] = []
        self._taken: set[int] = set()
        for child in before:
            if child.old_ranks == 0:
                self.add(child)
            else:
                self._with_place.setdefault(child.size, []).append(child)

    def add(self, child: _Domain) -> None:
        """From now on it has no place."""
        self._added.append(child)
        self._without_place.setdefault(child.size, deque()).append(child)

    def settle(self, child: _Domain) -> bool:
        """Its turn has come: it fills no gap as one that has a place. False: it has filled one before."""
        new = id(child) not in self._settled
        self._settled.add(id(child))
        return new

    def take(self, gap: int, tolerance: int) -> _Domain | None:
        """Take a domain whose size differs from the gap by at most the tolerance, the nearest in size."""
        sizes = self._without_place.keys() | self._with_place.keys()
        for size in sorted((abs(size - gap), size) for size in sizes if abs(size - gap) <= tolerance):
            found = self._take(size[1])
            if found is not None:
                return found
        return None

    def rest(self) -> list[_Domain]:
        """Those without a place that filled no gap."""
        return [child for child in self._added if id(child) not in self._taken]

    def _take(self, size: int) -> _Domain | None:
        free = self._without_place.get(size)
        if free:
            found = free.popleft()
            self._taken.add(id(found))
            return found
        placed = self._with_place.get(size, [])
        while placed:
            last = placed.pop()
            if self.settle(last):
                return last
        return None
