"""Ranks by topology against torch's c10d, which sorts FQDNs as strings, on the shapes of real clusters.

A round of nine tenths of the nodes goes through 100 losses and replacements; the rest are spares, and a lost node is
one of them once it is repaired. Both assignments see the same members. ``pytest -s`` shows the table.
"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest

from kube_rendezvous.resources import Member, Ranking
from kube_rendezvous_core.ranking.ranking import assign_ranks, moved_ranks
from kube_rendezvous_core.ranking.replacement import nearest_first
from kube_rendezvous_core.ranking.topology import Path, Topology
from unit.core.builders import member

CHANGES = 100


@dataclass(frozen=True)
class Shape:
    """A cluster: the labels of its levels, and how many nodes are at each place."""

    name: str
    keys: tuple[str, ...]
    places: dict[Path, int]


SHAPES = [
    Shape(
        "2 zones x 3 racks x 8 nodes",
        ("topology.kubernetes.io/zone", "example.com/rack"),
        {(f"zone-{zone}", f"rack-{zone}-{rack}"): 8 for zone in "ab" for rack in range(3)},
    ),
    Shape(
        "GB200 NVL72: 8 cliques x 18 nodes",
        ("nvidia.com/gpu.clique",),
        {(f"3ee8a1c4-clique.{clique}",): 18 for clique in range(8)},
    ),
    Shape(
        "fat tree, 3 tiers, uneven leaves",
        ("fabric.topograph.run/tier-3", "fabric.topograph.run/tier-2", "fabric.topograph.run/tier-1"),
        {
            (f"core-{core}", f"spine-{core}-{spine}", f"leaf-{core}-{spine}-{leaf}"): 4
            + (5 * core + 3 * spine + leaf) % 7
            for core in range(2)
            for spine in range(2 + core)
            for leaf in range(4)
        },
    ),
    Shape(
        "16 racks x 32 nodes",
        ("topology.kubernetes.io/zone", "example.com/rack"),
        {(f"zone-{rack // 6}", f"rack-{rack}"): 32 for rack in range(16)},
    ),
]


@dataclass(frozen=True)
class Outcome:
    """Of one way to assign ranks.

    Args:
        edges: edges of the ring between different innermost domains, mean over the rounds.
        moved: ranks with another holder in all changes together; ``worst``: in one of them.
    """

    edges: float
    moved: int
    worst: int


@dataclass(frozen=True)
class Comparison:
    topology: Outcome
    fqdn: Outcome
    fewest_edges: float
    bound: int


def compare(shape: Shape, *, names_follow_racks: bool, seed: int) -> Comparison:
    """Run both through the same losses and replacements."""
    random = Random(seed)
    places = [path for path, size in shape.places.items() for _ in range(size)]
    if not names_follow_racks:
        random.shuffle(places)
    path_of = {f"trainer-{number}": path for number, path in enumerate(places)}
    labels = {name: dict(zip(shape.keys, path, strict=True)) for name, path in path_of.items()}
    member_of = {name: member(name, node_name=name) for name in path_of}
    ranking = Ranking(shape.keys)

    in_use = random.sample(sorted(path_of), len(path_of) * 9 // 10)
    spares = [member_of[name] for name in sorted(path_of) if name not in in_use]
    rounds = [
        [m.name for m in assign_ranks((), (), [member_of[name] for name in in_use], Topology.of(ranking, labels))]
    ]
    for _ in range(CHANGES):
        before = rounds[-1]
        domains = Topology.of(ranking, labels).domains([member_of[name] for name in before])
        topology = Topology.of(ranking, labels, domains, before)
        lost = random.choice(before)
        staying = [name for name in before if name != lost]
        replacement, *spares = nearest_first(before, staying, spares, topology)
        spares.append(member_of[lost])
        chosen: list[Member] = [replacement, *(member_of[name] for name in staying)]
        rounds.append([m.name for m in assign_ranks(before, (), chosen, topology)])
    return Comparison(
        topology=_outcome(rounds, path_of),
        fqdn=_outcome([sorted(names, key=lambda name: f"{name}.trainers.ml.svc") for names in rounds], path_of),
        fewest_edges=sum(len({path_of[name] for name in names}) for names in rounds) / len(rounds),
        bound=len(shape.places),
    )


def _outcome(rounds: list[list[str]], path_of: dict[str, Path]) -> Outcome:
    edges = [sum(1 for i, name in enumerate(names) if path_of[name] != path_of[names[i - 1]]) for names in rounds]
    moved = [moved_ranks(before, after) for before, after in pairwise(rounds)]
    return Outcome(sum(edges) / len(edges), sum(moved), max(moved))


@pytest.mark.parametrize("names_follow_racks", [True, False], ids=["names follow racks", "pods lie anywhere"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_fewer_edges_cross_borders_and_fewer_ranks_move_than_in_the_order_of_fqdns(
    shape: Shape, names_follow_racks: bool
) -> None:
    found = compare(shape, names_follow_racks=names_follow_racks, seed=20)
    ours, theirs = found.topology, found.fqdn
    naming = "names follow racks" if names_follow_racks else "pods lie anywhere"
    sys.stdout.write(
        f"\n{shape.name}, {sum(shape.places.values())} nodes, {naming}\n"
        f"  {'':10}{'ring edges across':>18}{'moved in 100':>14}{'worst':>7}\n"
        f"  {'topology':10}{ours.edges:>18.1f}{ours.moved:>14}{ours.worst:>7}\n"
        f"  {'FQDN':10}{theirs.edges:>18.1f}{theirs.moved:>14}{theirs.worst:>7}\n"
        f"  {'limit':10}{found.fewest_edges:>18.1f}{CHANGES:>14}{found.bound:>7}\n"
    )
    assert ours.edges == found.fewest_edges < theirs.edges
    assert ours.moved < theirs.moved / 5
    assert ours.worst <= found.bound
