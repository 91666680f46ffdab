"""A roster says who has which rank, and whose state everybody goes on from."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.survival.roster import Entry, Roster
from unit.survival.builders import entry

ENTRIES = st.lists(
    st.builds(entry, st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), new=st.booleans()),
    min_size=1,
    unique_by=lambda each: (each.node_rank, each.local_rank),
)


def roster(said: str) -> Roster:
    """One worker a node: ``7`` has done seven steps; ``new:7`` is new and has them from a checkpoint of its own."""

    def one(node: int, word: str) -> Entry:
        return entry(node, progress=int(word.removeprefix("new:")), new=word.startswith("new:"))

    return Roster.of([one(node, word if word != "new" else "new:0") for node, word in enumerate(said.split())])


@given(ENTRIES, st.randoms())
def test_ranks_go_node_by_node_whoever_came_first(entries: list[Entry], chance: Random) -> None:
    shuffled = list(entries)
    chance.shuffle(shuffled)
    made = Roster.of(shuffled)
    assert made == Roster.of(entries)
    places = [(one.node_rank, one.local_rank) for one in made.entries]
    assert places == sorted(places)
    assert [made.rank_of(*where) for where in places] == list(range(made.world_size))


def test_nodes_may_have_different_numbers_of_workers() -> None:
    made = Roster.of([entry(2, 0), entry(0, 1), entry(0, 0), entry(1, 0), entry(0, 2)])
    assert made.handles == ["handle-0-0", "handle-0-1", "handle-0-2", "handle-1-0", "handle-2-0"]
    assert (made.rank_of(0, 2), made.rank_of(1, 0), made.rank_of(2, 0)) == (2, 3, 4)


def test_who_is_not_there_has_no_rank() -> None:
    with pytest.raises(ValueError, match="not in list"):
        roster("1 1").rank_of(2, 0)


def test_a_round_without_workers_is_none() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        Roster.of([])


@given(ENTRIES)
def test_a_roster_and_its_entries_are_the_same_after_they_were_sent(entries: list[Entry]) -> None:
    assert Roster.from_bytes(Roster.of(entries).to_bytes()) == Roster.of(entries)
    assert [Entry.from_bytes(one.to_bytes()) for one in entries] == entries


@pytest.mark.parametrize(
    ("said", "source", "lacking"),
    [
        pytest.param("new", None, [], id="alone and new: nothing to share"),
        pytest.param("new new new", None, [], id="the first round: all start from nothing"),
        pytest.param("7 7 7", None, [], id="a loss that has undone no step: nothing to share"),
        pytest.param("0 0", None, [], id="survivors that did nothing yet are equal as well"),
        pytest.param("7 6 7", 0, [1], id="who was a step behind gets it"),
        pytest.param("6 7 6", 1, [0, 2], id="the furthest gives it, whatever its rank"),
        pytest.param("6 7 7", 1, [0], id="the lowest rank of equals gives it"),
        pytest.param("new 7 7", 1, [0], id="a newcomer gives nothing, not even as rank 0"),
        pytest.param("7 7 new", 0, [2], id="a newcomer gets it when all survivors are equal"),
        pytest.param("new 6 7 new", 2, [0, 1, 3], id="newcomers and who was behind"),
        pytest.param("new:7 3 3", 1, [0], id="a newcomer's checkpoint, even a newer one, gives way to survivors"),
        pytest.param("new:7 new:7", None, [], id="all have the same checkpoint"),
        pytest.param("new:5 new:7 new new:7", 1, [0, 2], id="without a survivor the furthest checkpoint wins"),
        pytest.param("0 new", 0, [1], id="a survivor that did nothing yet goes before a newcomer"),
    ],
)
def test_whose_state_goes_to_whom(said: str, source: int | None, lacking: list[int]) -> None:
    made = roster(said)
    assert (made.state_source, list(made.lacking)) == (source, lacking)


@given(ENTRIES)
def test_afterwards_all_are_where_the_furthest_survivor_is_or_without_one_the_furthest(entries: list[Entry]) -> None:
    made = Roster.of(entries)
    survivors = [one for one in made.entries if not one.newcomer]
    furthest = max(one.progress for one in survivors or made.entries)
    whole = [one for rank, one in enumerate(made.entries) if rank not in made.lacking]
    assert all(one.progress == furthest for one in whole)
    if made.state_source is None:
        assert whole == list(made.entries)
    else:
        source = made.entries[made.state_source]
        assert source in whole
        assert (source.progress, source.newcomer) == (furthest, not survivors)


def test_newcomers_are_told_by_rank() -> None:
    assert roster("new 7 new").newcomers == (0, 2)
