"""A large assignment in slices: all comes back, each name is where its hash says, and little changes with a loss."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import PastRound, RendezvousStatus, status_to_json
from kube_rendezvous.resources.rendezvous_json import parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import (
    RendezvousSlice,
    assembled,
    carried_over,
    digests_in,
    missing_ranks,
    parse_slice,
    slice_manifest,
    slice_of,
)
from kube_rendezvous_core.slicing import Cut, SliceSizes, cut, leftovers, mended, without_idle_keys
from unit.core.builders import at, rendezvous, told

UID = "uid-1"
SMALL = SliceSizes(above=2, names=3)
NOTHING = RendezvousStatus()


def assignment(names: list[str], number: int = 1, domains: bool = False) -> RendezvousStatus:
    past = PastRound(number, "Growth", "more came", len(names), tuple(names[:3]), len(names), (), 0, 0, at(number), 0.5)
    return RendezvousStatus(
        round=number,
        ranks=tuple(names),
        slots=tuple(str(rank) if rank % 2 else "" for rank, _ in enumerate(names)),
        incarnations=tuple(f"{name}-uid"[:8] for name in names),
        domains=tuple(f"rack-{rank // 2}" for rank, _ in enumerate(names)) if domains else (),
        history=(past, replace(past, round=number - 1, formed_at=past.formed_at - timedelta(minutes=1))),
    )


def through_the_server(made: Cut, known: tuple[RendezvousSlice, ...] = ()) -> tuple[RendezvousStatus, tuple[Any, ...]]:
    """The status and the slices as somebody else reads them."""
    owner = rendezvous(made.status)
    slices = tuple(parse_slice(json.loads(json.dumps(slice_manifest(owner, one)))) for one in (*made.new, *known))
    raw = {
        "metadata": {"namespace": "ns", "name": owner.name, "uid": owner.uid, "resourceVersion": "1"},
        "spec": {"minNodes": 1},
        "status": json.loads(json.dumps(status_to_json(made.status))),
    }
    return parse_rendezvous(raw).status, slices


names = st.lists(st.integers(0, 999).map("node-{}".format), min_size=1, max_size=60, unique=True)


@given(names, st.booleans(), st.integers(1, 10))
def test_whoever_reads_status_and_slices_reads_the_assignment(who: list[str], domains: bool, size: int) -> None:
    whole = assignment(who, domains=domains)
    read, slices = through_the_server(cut(NOTHING, whole, UID, SliceSizes(2, size)))
    assert read.is_unread
    assert read.world_size == len(who)
    assert (read.history[0].reason, read.history[0].joined) == ("Growth", ())
    again = assembled(read, slices)
    assert replace(again, sliced=None) == whole
    assert carried_over(read, again) == again


def test_of_the_newest_round_the_status_knows_better_than_the_slice_and_the_slice_knows_more() -> None:
    read, slices = through_the_server(cut(NOTHING, assignment(["a", "b", "c"]), UID, SMALL))
    before = assembled(read, slices)
    mended = replace(read, history=(replace(read.history[0], formed_at=at(-60)),))
    wanted = (replace(before.history[0], formed_at=at(-60)), *before.history[1:])
    assert assembled(mended, slices).history == wanted
    assert carried_over(mended, before).history == wanted


@given(names)
def test_a_member_finds_its_rank_with_its_name_and_the_status(who: list[str]) -> None:
    made = cut(NOTHING, assignment(who), UID, SMALL)
    assert made.status.sliced is not None
    by_digest = {one.digest: one.content for one in made.new}
    for rank, name in enumerate(who):
        assert by_digest[slice_of(name, made.status.sliced)].rank_of(name) == rank
    assert by_digest[slice_of("nobody.here", made.status.sliced)].rank_of("nobody.here") is None


@given(names, st.data())
def test_after_a_replacement_only_slices_of_the_two_are_new_and_the_history(who: list[str], data: Any) -> None:
    first = cut(NOTHING, assignment(who), UID, SMALL)
    lost = data.draw(st.sampled_from(who))
    heirs = ["heir.1" if name == lost else name for name in who]
    second = cut(first.status, assignment(heirs, 2), UID, SMALL)
    assert first.status.sliced is not None
    assert second.status.sliced is not None
    assert len(second.new) <= 3
    changed = {n for n in heirs if slice_of(n, first.status.sliced) != slice_of(n, second.status.sliced)}
    assert len({slice_of(name, second.status.sliced) for name in changed}) <= 2
    read, slices = through_the_server(second, first.new)
    assert assembled(read, slices).ranks == tuple(heirs)


@given(names, st.data())
def test_a_slice_that_is_gone_leaves_its_ranks_to_nobody_and_no_other_round_rests_on_it(
    who: list[str], data: Any
) -> None:
    made = cut(NOTHING, assignment(who), UID, SMALL)
    assert made.status.sliced is not None
    gone = data.draw(st.sampled_from([*made.status.sliced.members, made.status.sliced.history]))
    read, slices = through_the_server(made)
    partly = assembled(read, [one for one in slices if one.digest != gone])
    nobodys = [rank for rank, name in enumerate(who) if slice_of(name, made.status.sliced) == gone]
    assert missing_ranks(partly) == tuple(nobodys)
    assert all(partly.ranks[rank] == name for rank, name in enumerate(who) if rank not in nobodys)
    next_round = cut(partly, assignment(who, 2), UID, SMALL)
    if nobodys:
        assert digests_in(next_round.status) == {one.digest for one in next_round.new}


@given(names, names, names, st.booleans())
def test_no_slice_is_removed_that_a_status_may_still_point_at(
    first: list[str], second: list[str], third: list[str], published: bool
) -> None:
    one = cut(NOTHING, assignment(first, 1), UID, SMALL)
    two = cut(one.status, assignment(second, 2), UID, SMALL)
    three = cut(two.status, assignment(third, 3), UID, SMALL)
    others = cut(one.status, assignment(third, 2), UID, SMALL)
    everything = (*one.new, *two.new, *three.new, *others.new)
    newest = three if published else two
    left = leftovers(everything, newest.status, two.status if published else one.status)
    gone = left.past | left.present
    assert not gone & digests_in(two.status)
    assert not gone & digests_in(three.status), "also while another operator is about to publish it"
    assert gone >= digests_in(others.status) - digests_in(one.status) - digests_in(two.status) - digests_in(
        three.status
    )


def test_what_another_operator_may_have_put_in_the_place_of_a_deleted_one_is_looked_at_again() -> None:
    one = cut(NOTHING, assignment(["a", "b", "c"]), UID, SMALL)
    seen_before = mended(one.status, UID, [one.status.sliced.members[0]] if one.status.sliced else [])
    left = leftovers((*one.new, *seen_before.new), one.status, NOTHING)
    assert (left.past, left.present) == (frozenset(), digests_in(seen_before.status) - digests_in(one.status))
    two = cut(one.status, assignment(["a", "b", "d"], 2), UID, SMALL)
    assert leftovers(seen_before.new, two.status, one.status).past == left.present


def test_two_operators_that_cut_the_same_round_in_two_ways_make_slices_of_different_names() -> None:
    mine = cut(NOTHING, assignment(["a", "b", "c"]), UID, SMALL)
    theirs = cut(NOTHING, assignment(["b", "a", "c"]), UID, SMALL)
    assert not {one.digest for one in mine.new if "a" in one.content.members} & digests_in(theirs.status)


def test_ten_thousand_names_make_slices_of_some_eighty_and_a_status_under_four_kilobytes() -> None:
    made = cut(NOTHING, assignment([f"my-training-run-worker-{n}-x7k2p" for n in range(10_000)]), UID, SliceSizes())
    lengths = [len(one.content.members) for one in made.new if one.content.members]
    assert len(lengths) == 128
    assert max(lengths) < 150
    assert len(json.dumps(status_to_json(made.status))) < 4096


def test_a_round_that_grows_keeps_its_cut_until_slices_are_half_as_large_again_as_wished() -> None:
    few = [f"n{n}" for n in range(100)]
    first = cut(NOTHING, assignment(few), UID, SliceSizes(names=100))
    second = cut(first.status, assignment([*few, *(f"m{n}" for n in range(50))], 2), UID, SliceSizes(names=100))
    third = cut(second.status, assignment([*few, *(f"m{n}" for n in range(51))], 3), UID, SliceSizes(names=100))
    counts = [len(made.status.sliced.members) for made in (first, second, third) if made.status.sliced]
    assert counts == [1, 1, 2]


def test_a_round_that_is_being_replaced_keeps_its_slices_and_tells_no_rank_keys() -> None:
    standing = cut(NOTHING, assignment(["a", "b", "c"]), UID, SMALL).status
    assert standing.sliced is not None
    assert without_idle_keys(standing) == standing
    grows = replace(standing, forming=told(interrupts=False))
    assert without_idle_keys(grows) == grows
    replaced = without_idle_keys(replace(standing, forming=told()))
    assert replaced.sliced == replace(standing.sliced, rank_keys=b"")
