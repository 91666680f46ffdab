"""Domains of the topology have neighbouring ranks, and rank 0 is where it is wanted."""

import time
from collections.abc import Iterable, Mapping, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import LabelSelector, Member, Ranking
from kube_rendezvous.resources.ranking_spec import parse_ranking
from kube_rendezvous_core.ranking.ranking import assign_ranks, moved_ranks
from kube_rendezvous_core.ranking.replacement import nearest_first
from kube_rendezvous_core.ranking.topology import Path, Topology
from unit.core.builders import member

KEYS = ("zone", "rack", "clique")
SPOT = LabelSelector((("spot", "yes"),))
BIG = LabelSelector((("disk", "big"),))


def nodes(places: str) -> dict[str, dict[str, str]]:
    """Labels by node: ``a@z1/r1`` is node a in zone z1, rack r1; ``a@z1!`` is a spot node, ``a@z1+`` has a big disk."""
    labels: dict[str, dict[str, str]] = {}
    for place in places.split():
        name, _, where = place.rstrip("!+").partition("@")
        labels[name] = {key: value for key, value in zip(KEYS, where.split("/"), strict=False) if value}
        labels[name] |= {"spot": "yes"} if place.endswith("!") else {"disk": "big"} if place.endswith("+") else {}
    return labels


def on_node(name: str) -> Member:
    return member(name, node_name=name)


def names(members: Iterable[Member]) -> str:
    return " ".join(m.name for m in members)


def ranks(previous: str, chosen: str, levels: int = 1, **wish: LabelSelector) -> str:
    """Names by rank, after a round with these members in this order."""
    ranking = Ranking(KEYS[:levels], **wish)
    before = list(nodes(previous))
    domains = Topology.of(ranking, nodes(previous)).domains([on_node(name) for name in before])
    topology = Topology.of(ranking, nodes(chosen), domains, before)
    return names(assign_ranks(before, (), [on_node(name) for name in nodes(chosen)], topology))


@pytest.mark.parametrize(
    ("previous", "chosen", "expected"),
    [
        pytest.param("", "a@z2 b@z1 c@z2 d@z1", "b d a c", id="one zone after the other"),
        pytest.param("", "a@z10 b@z9 c@z10", "b a c", id="zones are in natural order"),
        pytest.param("", "n-10@z n-9@z m@y", "m n-9 n-10", id="within a zone, names are in natural order"),
        pytest.param("", "a b@z1 c d@z2", "b d a c", id="nodes without the label are a domain of their own, the last"),
        pytest.param("a@x b@x c@y d@y", "d@y c@y b@x a@x", "a b c d", id="survivors keep their ranks"),
        pytest.param("a@x b@x c@y d@y", "n@x b@x c@y d@y", "n b c d", id="a replacement in the same zone moves nobody"),
        pytest.param("a@x b@x c@y d@y", "b@x c@y d@y n@y", "b n c d", id="one in another zone moves the border"),
        pytest.param("a@x b@x c@y d@y", "a@x c@y d@y", "a d c", id="a smaller zone draws one rank over the border"),
        pytest.param("a@x b@x c@y d@y", "a@x b@x n@x c@y d@y", "a b n d c", id="a larger one pushes one over it"),
        pytest.param("a@x b@y c@z", "a@x b@y c@z d@w", "a b c d", id="a new zone comes last"),
        pytest.param("a@x b@x c@y d@y", "m@z n@z c@y d@y", "m n c d", id="a new zone takes the place of a lost one"),
        pytest.param(
            "a@w b@w c@x d@x e@y f@y g@z h@z",
            "c@x d@x e@y f@y g@z h@z",
            "g h c d e f",
            id="the last zone takes the place of a lost one",
        ),
        pytest.param(
            "a@w b@w c@x d@x e@x f@x g@y h@y i@y j@y k@z",
            "c@x d@x e@x f@x g@y h@y i@y j@y k@z",
            "k f c d e j g h i",
            id="one that nearly fits is better than to push all others",
        ),
        pytest.param("a@x b@x c@y d@y", "m@x n@x c@y d@y", "m n c d", id="a zone with newcomers only keeps its place"),
        pytest.param("a@x b@y c@x d@y", "a@x b@y c@x d@y", "a c b d", id="a round made without topology is sorted"),
    ],
)
def test_members_of_one_zone_are_neighbours(previous: str, chosen: str, expected: str) -> None:
    assert ranks(previous, chosen) == expected


def test_zones_are_nested_at_every_level() -> None:
    first = ranks("", "a@z2/r1 b@z1/r1 c@z1/r2 d@z2/r1 e@z1/r1 f@z1", levels=2)
    assert first == "b e c f a d"


def test_a_lost_rack_moves_one_rack_in_its_zone_and_one_in_each_zone_behind() -> None:
    zones = {"a": "1 2 3", "b": "4 5 6"}
    before = " ".join(
        f"{rack}{i}@{zone}/{rack}" for zone, racks in zones.items() for rack in racks.split() for i in "xy"
    )
    after = before.replace("1x@a/1 1y@a/1 ", "")
    assert ranks(before, after, levels=2) == "3x 3y 2x 2y 6x 6y 4x 4y 5x 5y"


def test_a_vacated_rank_goes_to_the_same_slot_in_the_same_domain() -> None:
    topology = Topology.of(Ranking(KEYS[:1]), nodes("a@x c@y m@x n@x"), ("x", "x", "x", "y"), ("a", "b", "d", "c"))
    chosen = [on_node("a"), on_node("c"), member("m", node_name="m", slot="2"), member("n", node_name="n", slot="1")]
    assert names(assign_ranks(("a", "b", "d", "c"), ("0", "1", "2", "3"), chosen, topology)) == "a n m c"


@pytest.mark.parametrize(
    ("previous", "chosen", "expected"),
    [
        pytest.param("", "a! b! c d", "c a b d", id="at first it goes to the front, the others keep their order"),
        pytest.param("a b c", "a b c", "a b c", id="a holder that is welcome stays"),
        pytest.param("a b! c d", "b! c d x", "x b c d", id="a welcome replacement takes it"),
        pytest.param(
            "a b! c d", "b! c d x!", "c b x d", id="else the first welcome survivor, and its rank is refilled"
        ),
        pytest.param("a! b! c", "a! b! c", "c b a", id="an unwelcome holder changes places with a welcome member"),
        pytest.param("a! b!", "a! b! x", "x b a", id="or with a welcome newcomer"),
        pytest.param("a! b!", "b! x!", "x b", id="if nobody is welcome, somebody has it"),
    ],
)
def test_rank_0_avoids_nodes(previous: str, chosen: str, expected: str) -> None:
    assert ranks(previous, chosen, levels=0, rank_zero_avoid=SPOT) == expected


@pytest.mark.parametrize(
    ("previous", "chosen", "expected"),
    [
        pytest.param("", "a@x! b@x! c@y! d@y", "d c a b", id="at first its zone and itself go to the front"),
        pytest.param("a@x b@x c@y d@y", "b@x! c@y d@y n@x", "n b c d", id="a welcome newcomer in the first zone"),
        pytest.param("a@x b@x c@y d@y", "b@x c@y d@y n@x!", "b n c d", id="else a welcome survivor there"),
        pytest.param(
            "a@x b@x! c@y! d@y! e@z f@z!",
            "b@x! n@x! c@y! d@y! e@z f@z!",
            "e f c d b n",
            id="else a zone of the same size changes places with the first",
        ),
    ],
)
def test_rank_0_avoids_nodes_and_zones_stay_together(previous: str, chosen: str, expected: str) -> None:
    assert ranks(previous, chosen, rank_zero_avoid=SPOT) == expected


@pytest.mark.parametrize(
    ("chosen", "first"),
    [("a b+ c!", "b"), ("a! b!", "a"), ("a b!", "a"), ("a! b", "b")],
)
def test_rank_0_prefers_nodes_but_avoiding_counts_more(chosen: str, first: str) -> None:
    assert ranks("", chosen, levels=0, rank_zero_avoid=SPOT, rank_zero_prefer=BIG).split()[0] == first


def test_a_node_that_is_not_known_now_is_where_it_was() -> None:
    topology = Topology.of(Ranking(KEYS[:2]), {}, ("z1/r1", "", "z1"), ("a", "b", "c"))
    assert topology.path_of(on_node("a")) == ("z1", "r1")
    assert topology.path_of(on_node("b")) == ("", "")
    assert topology.path_of(on_node("c")) == ("", ""), "written under other topologyKeys"
    assert topology.path_of(on_node("new")) == ("", "")


def test_the_domains_of_the_status_say_where_each_rank_is() -> None:
    labels = nodes("a@z1/r1 b@z1 c")
    members = [on_node("b"), on_node("c"), on_node("a")]
    assert Topology.of(Ranking(KEYS[:2]), labels).domains(members) == ("z1/", "", "z1/r1")
    assert Topology.of(Ranking(), labels).domains(members) == ()


@pytest.mark.parametrize(
    ("staying", "candidates", "expected"),
    [
        pytest.param("b c d", "n@z2/r3 m@z1/r2 k@z1/r1", "k n m", id="the same rack first"),
        pytest.param("b c d", "n@z2/r3 m@z1/r2", "m n", id="else the same zone"),
        pytest.param("b c d", "n@z2/r3 m@z3/r1", "n m", id="else the order stays"),
        pytest.param("c d", "n@z2/r3 m@z1/r2 k@z1/r1 j@z1/r1 i@z1/r1", "k j n m i", id="one for each who went"),
        pytest.param("a b c d", "n@z2/r3 m@z1/r1", "n m", id="nobody went"),
    ],
)
def test_a_spare_of_the_same_domain_replaces_a_lost_member(staying: str, candidates: str, expected: str) -> None:
    previous, domains = ("a", "b", "c", "d"), ("z1/r1", "z1/r1", "z2/r3", "z2/r3")
    topology = Topology.of(Ranking(KEYS[:2]), nodes(candidates), domains, previous)
    spares = [on_node(name) for name in nodes(candidates)]
    assert names(nearest_first(previous, staying.split(), spares, topology)) == expected


# Properties over random worlds of up to three levels and several rounds.

Places = Mapping[str, Path]
PATHS = st.tuples(st.sampled_from(["", "z1", "z2", "z3"]), st.sampled_from(["", "r1", "r2"]), st.sampled_from("12"))
WORLDS = st.dictionaries(st.sampled_from([f"n-{i}" for i in range(16)]), PATHS, min_size=1)
NEWCOMERS = st.dictionaries(st.sampled_from([f"x-{i}" for i in range(16)]), PATHS, max_size=6)


def topology_of(
    places: Places, levels: int, before: Sequence[str] = (), domains: Sequence[str] = (), **wish: LabelSelector
) -> Topology:
    labels = {name: dict(zip(KEYS, path, strict=True)) for name, path in places.items()}
    for name in labels:
        labels[name]["spot"] = "yes" if int(name[2:]) % 3 else "no"
    return Topology.of(Ranking(KEYS[:levels], **wish), labels, domains, before)


def ring_edges_between_domains(paths: Sequence[Path], depth: int) -> int:
    return sum(1 for rank, path in enumerate(paths) if path[:depth] != paths[rank - 1][:depth])


def next_round(before: Sequence[str], places: Places, after: Places, levels: int, **wish: LabelSelector) -> list[str]:
    domains = topology_of(places, levels).domains([on_node(name) for name in before])
    topology = topology_of(after, levels, before, domains, **wish)
    return [m.name for m in assign_ranks(before, (), [on_node(name) for name in after], topology)]


@given(st.integers(1, 3), WORLDS, st.data())
def test_the_bound_holds_and_domains_stay_together_round_after_round(
    levels: int, places: dict[str, Path], data: st.DataObject
) -> None:
    before = next_round((), {}, places, levels)
    for _ in range(3):
        went = data.draw(st.sets(st.sampled_from(sorted(places)), max_size=len(places) - 1), label="went")
        came = {name: path for name, path in data.draw(NEWCOMERS, label="came").items() if name not in places}
        after = {name: path for name, path in places.items() if name not in went} | came
        new = next_round(before, places, after, levels)
        assert sorted(new) == sorted(after)
        paths = [after[name][:levels] for name in new]
        for depth in range(1, levels + 1):
            there = len({path[:depth] for path in paths})
            assert ring_edges_between_domains(paths, depth) == (there if there > 1 else 0)
        in_either = {path[:levels] for path in (*places.values(), *after.values())}
        assert moved_ranks(before, new) <= len(in_either) * max(len(went), len(came))
        places, before = after, new


@given(st.integers(0, 3), WORLDS, st.data())
def test_a_replacement_in_the_same_domain_moves_exactly_one_rank(
    levels: int, places: dict[str, Path], data: st.DataObject
) -> None:
    before = next_round((), {}, places, levels)
    lost = data.draw(st.sampled_from(sorted(places)))
    after = {name: path for name, path in places.items() if name != lost} | {"x-0": places[lost]}
    new = next_round(before, places, after, levels)
    assert new == ["x-0" if name == lost else name for name in before]


@given(st.integers(0, 3), WORLDS, NEWCOMERS, st.data())
def test_rank_0_is_where_it_is_wanted_and_stays_where_it_is_welcome(
    levels: int, places: dict[str, Path], came: dict[str, Path], data: st.DataObject
) -> None:
    def unwelcome(name: str) -> bool:
        return int(name[2:]) % 3 != 0

    before = next_round((), {}, places, levels, rank_zero_avoid=SPOT)
    assert not unwelcome(before[0]) or all(unwelcome(name) for name in places)
    went = data.draw(st.sets(st.sampled_from(sorted(places)), max_size=len(places) - 1))
    after = {name: path for name, path in places.items() if name not in went} | came
    new = next_round(before, places, after, levels, rank_zero_avoid=SPOT)
    assert not unwelcome(new[0]) or all(unwelcome(name) for name in after)
    if before[0] in after and (not unwelcome(before[0]) or unwelcome(new[0])):
        assert new[0] == before[0]
    paths = [after[name][:levels] for name in new]
    for depth in range(1, levels + 1):
        there = len({path[:depth] for path in paths})
        assert ring_edges_between_domains(paths, depth) == (there if there > 1 else 0)
    first_domain = after[new[0]][:levels] == places[before[0]][:levels]
    in_either = {path[:levels] for path in (*places.values(), *after.values())}
    if first_domain:
        assert moved_ranks(before, new) <= len(in_either) * max(len(went), len(came)) + 2


@given(WORLDS, st.randoms(use_true_random=False))
def test_the_assignment_does_not_depend_on_the_order_in_which_members_are_seen(
    places: dict[str, Path], random: Random
) -> None:
    shuffled = list(places.items())
    random.shuffle(shuffled)
    before = next_round((), {}, places, 2)
    assert next_round((), {}, dict(shuffled), 2) == before
    smaller = dict(shuffled[1:])
    assert next_round(before, places, smaller, 2) == next_round(before, places, dict(sorted(smaller.items())), 2)


@pytest.mark.parametrize("lost", [0, 500, 999])
def test_a_thousand_members_are_ranked_in_20_ms(lost: int) -> None:
    places = {f"n-{i}": (f"z{i // 250}", f"r{i // 8}", "1") for i in range(1000)}
    before = next_round((), {}, places, 2)
    after = {name: path for name, path in places.items() if name != f"n-{lost}"} | {"x-1": ("z1", "r999", "1")}
    domains = topology_of(places, 2).domains([on_node(name) for name in before])
    topology = topology_of(after, 2, before, domains, rank_zero_avoid=SPOT)
    chosen = [on_node(name) for name in after]
    took: list[float] = []
    for _ in range(5):
        start = time.process_time()
        assign_ranks(before, (), chosen, topology)
        took.append(time.process_time() - start)
    assert min(took) < 0.02


# Presets -------------------------------------------------------------------------------------------------------------


def ranks_by_preset(preset: str, labels: Mapping[str, Mapping[str, str]]) -> str:
    """Names of members on these nodes by rank, in a first round."""
    ranking = parse_ranking({"preset": preset})
    return names(assign_ranks((), (), [on_node(name) for name in labels], Topology.of(ranking, labels)))


def test_racks_below_one_switch_are_neighbours_and_pods_of_a_rack_within_them() -> None:
    labels = {
        "n0": {"fabric.topograph.run/tier-0": "leaf-1", "accelerator.topograph.run/domain": "rack-1"},
        "n1": {"fabric.topograph.run/tier-0": "leaf-2", "accelerator.topograph.run/domain": "rack-3"},
        "n2": {"fabric.topograph.run/tier-0": "leaf-1", "accelerator.topograph.run/domain": "rack-2"},
        "n3": {"fabric.topograph.run/tier-0": "leaf-1", "accelerator.topograph.run/domain": "rack-1"},
    }
    assert ranks_by_preset("Topograph", labels) == "n0 n3 n2 n1"


@pytest.mark.parametrize(
    ("preset", "outer", "inner"),
    [
        ("Topograph", "fabric.topograph.run/tier-2", "fabric.topograph.run/tier-1"),
        ("GKE", "cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"),
        ("GKE", "cloud.google.com/gce-topology-subblock", "cloud.google.com/gce-topology-host"),
        ("EKS", "topology.k8s.aws/network-node-layer-1", "topology.k8s.aws/network-node-layer-2"),
        ("EKS", "topology.k8s.aws/network-node-layer-2", "topology.k8s.aws/network-node-layer-3"),
    ],
)
def test_the_outer_label_of_a_preset_is_never_split_by_the_inner_one(preset: str, outer: str, inner: str) -> None:
    labels = {f"n{n}": {outer: f"o{n % 2}", inner: f"i{n // 2}"} for n in range(4)}
    assert ranks_by_preset(preset, labels) == "n0 n2 n1 n3"


def test_nodes_of_one_nvlink_partition_are_neighbours() -> None:
    labels = {f"n{n}": {"nvidia.com/gpu.clique": f"c0ffee.{n % 2}"} for n in range(4)}
    assert ranks_by_preset("NVIDIA", labels) == "n0 n2 n1 n3"
