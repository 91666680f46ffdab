"""Ranks are sticky."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous_core.ranking.natural_order import natural_key
from kube_rendezvous_core.ranking.ranking import assign_ranks, moved_ranks
from unit.core.builders import member


def ranks(previous: str, slots: str, chosen: str) -> str:
    """Names by rank; ``chosen`` may give slots as name:slot."""
    parts = [entry.partition(":") for entry in chosen.split()]
    members = [member(name, slot=slot) for name, _, slot in parts]
    return " ".join(m.name for m in assign_ranks(previous.split(), slots.split(), members))


@pytest.mark.parametrize(
    ("previous", "slots", "chosen", "expected"),
    [
        pytest.param("a b c d", "", "d c b a", "a b c d", id="a survivor keeps its rank"),
        pytest.param("a b c d", "", "a x c d", "a x c d", id="a replacement takes the vacated rank"),
        pytest.param("a b c d", "", "a c d", "a d c", id="a smaller world gives the gap to the highest rank"),
        pytest.param("a b c d", "", "b c d", "d b c", id="rank 0 is filled like any other"),
        pytest.param("a b c d", "", "a b c", "a b c", id="losing the highest rank moves nobody"),
        pytest.param("a b c", "", "a b c x y", "a b c x y", id="growth adds at the end"),
        pytest.param("a b c", "", "a c x y", "a x c y", id="growth with a gap fills the gap first"),
        pytest.param("a b c d", "", "c d", "c d", id="two lost of four: the gaps are filled in order"),
        pytest.param("a b c d", "0 1 2 3", "x:3 a:0 y:1 c:2", "a y c x", id="the same slot gets its rank back"),
        pytest.param("a b c d", "0 1 2 3", "a:0 x:9 c:2 y:1", "a y c x", id="another slot takes what is left"),
        pytest.param("a b c d", "0 1 2 3", "a:0 c:2 y:3", "a y c", id="a slot whose rank no longer exists fills a gap"),
        pytest.param("a b", "0", "a:0 x:1", "a x", id="slots may be fewer than ranks"),
        pytest.param("", "", "n-10 n-9 n-1", "n-1 n-9 n-10", id="the first assignment is in natural order"),
        pytest.param("", "", "z:2 y:10 x:1", "x z y", id="slots go before names, in natural order"),
        pytest.param("", "", "b a:7", "a b", id="who has a slot goes first"),
    ],
)
def test_ranks(previous: str, slots: str, chosen: str, expected: str) -> None:
    assert ranks(previous, slots, chosen) == expected


@pytest.mark.parametrize("lost", range(8))
def test_one_lost_node_moves_one_rank_at_the_most(lost: int) -> None:
    before = [f"n-{i}" for i in range(8)]
    rest = [member(name) for name in before if name != before[lost]]
    replaced = [m.name for m in assign_ranks(before, (), [*rest, member("new")])]
    assert moved_ranks(before, replaced) == 1
    shrunk = [m.name for m in assign_ranks(before, (), rest)]
    assert moved_ranks(before, shrunk) == (0 if lost == 7 else 1)


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.sets(st.sampled_from("abcdefghuvwxyz"), min_size=1),
    st.data(),
)
def test_every_chosen_member_gets_one_rank_and_survivors_below_the_new_size_keep_theirs(
    previous: list[str], chosen: set[str], data: st.DataObject
) -> None:
    slots = data.draw(st.lists(st.sampled_from(["", "0", "1", "2"]), max_size=len(previous)))
    members = [member(name, slot=data.draw(st.sampled_from(["", "0", "1", "2"]))) for name in sorted(chosen)]
    after = [m.name for m in assign_ranks(previous, slots, members)]
    assert sorted(after) == sorted(chosen)
    for rank, name in enumerate(previous[: len(after)]):
        if name in chosen:
            assert after[rank] == name
    vacated = sum(1 for name in previous[: len(after)] if name not in chosen)
    assert moved_ranks(previous, after) <= vacated + max(0, len(after) - len(previous))


@given(st.permutations([f"n-{i}" for i in range(12)]))
def test_the_assignment_does_not_depend_on_the_order_in_which_members_are_seen(order: list[str]) -> None:
    assert [m.name for m in assign_ranks((), (), [member(name) for name in order])] == [f"n-{i}" for i in range(12)]


def test_natural_order_puts_node_9_before_node_10() -> None:
    names = ["node-10", "node-9", "node-1-b", "node-1-a10", "node-1-a9", "", "7", "node"]
    assert sorted(names, key=natural_key) == [
        "",
        "7",
        "node",
        "node-1-a9",
        "node-1-a10",
        "node-1-b",
        "node-9",
        "node-10",
    ]


@given(st.lists(st.text(alphabet="019a-z.", max_size=8), min_size=2, max_size=2))
def test_natural_order_is_that_of_the_parts(names: list[str]) -> None:
    def parts(name: str) -> list[tuple[int, int, str]]:
        return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]

    assert sorted(names, key=natural_key) == sorted(names, key=parts)
    assert (natural_key(names[0]) == natural_key(names[1])) == (names[0] == names[1])
