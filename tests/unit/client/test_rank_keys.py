"""A key for each rank in the status: who knows his name finds his rank, and reads nothing for it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.membership.own_slice import OwnSlice
from kube_rendezvous.membership.standing import (
    MustRead,
    MustRejoin,
    Place,
    Standpoint,
    Waiting,
    circle,
    slice_of_circle,
    standing,
)
from kube_rendezvous.resources import Rendezvous, RendezvousStatus, status_to_json
from kube_rendezvous.resources.rank_keys import parse_rank_keys, rank_by_key, rank_keys, rank_keys_to_lines
from kube_rendezvous.resources.rendezvous_json import parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import slice_of
from kube_rendezvous_core.slicing import SliceSizes, cut
from unit.core.builders import UID, rendezvous, round_of, told

NAMES = "a b c d e"
SIZES = SliceSizes(above=2, names=2)
ME = Standpoint("b", UID)


def large(sizes: SliceSizes = SIZES) -> Rendezvous:
    """A round of five as it is seen: without the names."""
    made = cut(RendezvousStatus(), round_of(NAMES), UID, sizes).status
    return rendezvous(replace(made, ranks=(), slots=(), incarnations=(), domains=()))


names = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=80, unique=True)


@given(names, st.text(max_size=20))
def test_everybody_finds_the_rank_that_is_his_and_nobody_else_finds_one(who: list[str], other: str) -> None:
    keys = parse_rank_keys(rank_keys_to_lines(rank_keys(who)), len(who))
    assert [rank_by_key(name, keys) for name in who] == list(range(len(who)))
    assert other in who or rank_by_key(other, keys) is None


def test_a_thousand_keys_are_lines_of_at_most_a_thousand_letters() -> None:
    who = [f"node-{number}" for number in range(1000)]
    lines = rank_keys_to_lines(rank_keys(who))
    assert max(map(len, lines)) == 1024
    assert sum(map(len, lines)) < 11_000
    assert rank_by_key("node-999", parse_rank_keys(lines, 1000)) == 999


def test_a_key_that_lies_across_two_others_is_none() -> None:
    key = rank_keys(["a"])
    assert rank_by_key("a", b"xxxx" + key + b"xxxx") is None
    assert rank_by_key("a", b"xxxx" + key + b"xxxx" + key) == 2


def test_two_that_would_have_the_same_key_have_none() -> None:
    assert rank_keys(["a", "a"]) == b""


@pytest.mark.parametrize("lines", [None, [], "AAAA", ["no base64!"], [5], 5, rank_keys_to_lines(rank_keys(["a"]))])
def test_what_is_no_key_for_each_rank_is_as_if_it_were_not_there(lines: object) -> None:
    assert parse_rank_keys(lines, 5) == b""


def test_with_keys_a_member_has_its_rank_without_its_slice() -> None:
    seen = large()
    assert seen.status.bootstrap_store is not None
    assert standing(seen, ME) == Place(3, 1, 5, seen.status.bootstrap_store, UID)


def test_who_has_no_key_stands_by_and_reads_nothing() -> None:
    where = standing(large(), replace(ME, name="x"))
    assert isinstance(where, Waiting)
    assert where.spare


def test_the_status_carries_the_keys_and_a_reader_of_before_finds_what_it_knows() -> None:
    seen = large()
    written = json.loads(json.dumps(status_to_json(seen.status)))
    metadata = {"namespace": "ns", "name": "run", "uid": UID, "resourceVersion": "1"}
    assert parse_rendezvous({"metadata": metadata, "spec": {"minNodes": 1}, "status": written}).status == seen.status
    assert {"members", "history"} <= written["slices"].keys()


def test_a_round_that_is_larger_than_keys_are_for_has_none() -> None:
    sliced = large(replace(SIZES, keyed=4)).status.sliced
    assert sliced is not None
    assert sliced.rank_keys == b""


@pytest.mark.parametrize(("held_round", "where"), [(3, MustRejoin), (0, MustRead)])
def test_while_a_round_without_keys_is_replaced_only_who_has_not_taken_its_place_reads_its_slice(
    held_round: int, where: type
) -> None:
    seen = large(replace(SIZES, keyed=0))
    seen = replace(seen, status=replace(seen.status, forming=told()))
    assert isinstance(standing(seen, replace(ME, held_round=held_round)), where)


def test_those_who_watch_each_other_read_their_slice_for_the_names_and_once() -> None:
    seen = large()
    assert seen.status.sliced is not None
    own = slice_of("b", seen.status.sliced)
    assert (circle(seen.status, ME), slice_of_circle(seen.status, ME)) == ((), own)
    knowing = replace(ME, read=OwnSlice(own, "b", 1, ("b", "e")))
    assert (circle(seen.status, knowing), slice_of_circle(seen.status, knowing)) == (("b", "e"), "")


def test_who_runs_a_round_does_not_take_the_names_of_an_earlier_one_for_its() -> None:
    running = replace(ME, held_round=3, read=OwnSlice("of before", "b", 1, ("b", "x")))
    assert circle(large().status, running) == ()
    assert slice_of_circle(large().status, running) != ""


def test_without_keys_or_without_a_rank_there_is_nothing_to_read_for_a_circle() -> None:
    assert slice_of_circle(large(replace(SIZES, keyed=0)).status, ME) == ""
    assert slice_of_circle(large().status, replace(ME, name="x")) == ""
    assert slice_of_circle(round_of(NAMES), ME) == ""
