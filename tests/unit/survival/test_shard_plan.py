"""Every rank gets what it needs of a tensor, each element once, from somebody who has it; or is told what is lost."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.survival.shard_plan import Box, plan_transfers


@st.composite
def boxes(draw: st.DrawFn, dimensions: int) -> Box:
    offsets = draw(st.tuples(*[st.integers(0, 4)] * dimensions))
    return Box(offsets, draw(st.tuples(*[st.integers(0, 4)] * dimensions)))


def cells(box: Box) -> set[tuple[int, ...]]:
    return set(product(*[range(begin, begin + size) for begin, size in zip(box.offsets, box.sizes, strict=True)]))


PAIRS = st.integers(0, 3).flatmap(lambda dimensions: st.tuples(boxes(dimensions), boxes(dimensions)))


@given(PAIRS)
def test_what_is_left_and_what_both_have_make_the_whole(pair: tuple[Box, Box]) -> None:
    mine, other = pair
    assert cells(mine.overlap(other)) == cells(mine) & cells(other)
    parts = [cells(part) for part in mine.without(other)]
    assert set().union(*parts) == cells(mine) - cells(other)
    assert sum(map(len, parts)) == len(cells(mine) - cells(other))


@given(
    st.integers(0, 2).flatmap(
        lambda dimensions: st.tuples(
            st.dictionaries(st.integers(0, 4), boxes(dimensions)),
            st.dictionaries(st.integers(0, 4), st.lists(boxes(dimensions), max_size=3)),
        )
    )
)
def test_each_element_comes_once_from_somebody_who_has_it_or_is_said_to_be_lost(
    case: tuple[dict[int, Box], dict[int, list[Box]]],
) -> None:
    needed, held = case
    transfers, lacking = plan_transfers(needed, held)
    somewhere = set().union(*[cells(box) for its in held.values() for box in its])
    for rank, box in needed.items():
        parts = [cells(one.part) for one in transfers if one.target == rank]
        assert set().union(*parts) == cells(box) & somewhere
        assert sum(map(len, parts)) == len(cells(box) & somewhere)
        assert set().union(*[cells(part) for part in lacking.get(rank, [])]) == cells(box) - somewhere
    for one in transfers:
        assert one.held in held[one.source]
        assert cells(one.part) <= cells(one.held)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 5))
def test_who_has_what_it_needs_asks_nobody(length: int, before: int, after: int) -> None:
    def shards(count: int) -> list[Box]:
        each = -(-length // count)
        return [Box((min(i * each, length),), (max(0, min(each, length - i * each)),)) for i in range(count)]

    needed = dict(enumerate(shards(after)))
    transfers, lacking = plan_transfers(needed, {rank: [box] for rank, box in enumerate(shards(before))})
    assert not lacking
    if before == after:
        assert all(one.source == one.target for one in transfers)


def test_not_all_ask_the_same_holder() -> None:
    whole = Box((0,), (8,))
    transfers, _ = plan_transfers(dict.fromkeys(range(4), whole), {1: [whole], 3: [whole]})
    assert [(one.source, one.target) for one in transfers] == [(1, 0), (1, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize("held", [{}, {1: [Box((), ())]}], ids=["lost", "held"])
def test_a_scalar_is_a_box_of_one_element(held: dict[int, list[Box]]) -> None:
    transfers, lacking = plan_transfers({0: Box((), ())}, held)
    assert (len(transfers), list(lacking)) == ((1, []) if held else (0, [0]))
