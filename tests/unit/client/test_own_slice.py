"""Where a member of a large round stands: it reads the one slice that is its own, and that one once."""

from dataclasses import replace

import pytest

from kube_rendezvous.membership.own_slice import OwnSlice
from kube_rendezvous.membership.standing import (
    MustJoin,
    MustRead,
    MustRejoin,
    Place,
    Standpoint,
    Waiting,
    circle,
    holds_a_place,
    nodes_waiting,
    standing,
)
from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous.resources.rendezvous_slice import slice_of
from kube_rendezvous_core.slicing import SliceSizes, cut
from unit.core.builders import UID, rendezvous, round_of, told

JOINED = Standpoint("b", UID)
NAMES = "a b c d e"
SIZES = SliceSizes(above=2, names=2, keyed=0)


def large(names: str = NAMES, before: RendezvousStatus | None = None, number: int = 3, **fields: object) -> Rendezvous:
    """As it is seen: without the names."""
    made = cut(before or RendezvousStatus(), round_of(names, number), UID, SIZES).status
    return rendezvous(replace(made, ranks=(), slots=(), incarnations=(), domains=(), **fields))  # type: ignore[arg-type]


def own(seen: Rendezvous, rank: int | None = 1, name: str = "b") -> OwnSlice:
    """What is read in the slice of this name."""
    assert seen.status.sliced is not None
    return OwnSlice(slice_of(name, seen.status.sliced), name, rank, ("b", "e"))


def test_it_must_read_the_slice_that_its_name_belongs_to() -> None:
    seen = large()
    assert standing(seen, JOINED) == MustRead(3, own(seen).digest)
    assert seen.status.world_size == 5


def test_it_has_the_rank_that_the_slice_says() -> None:
    seen = large()
    store = seen.status.bootstrap_store
    assert store is not None
    assert standing(seen, replace(JOINED, read=own(seen))) == Place(3, 1, 5, store, UID)


def test_it_stands_by_if_the_slice_does_not_name_it_or_is_gone() -> None:
    seen = large()
    where = standing(seen, replace(JOINED, read=own(seen, None)))
    assert isinstance(where, Waiting)
    assert where.spare


def test_a_later_round_that_has_left_the_slice_as_it_is_is_not_read_again() -> None:
    first = cut(RendezvousStatus(), round_of(NAMES), UID, SIZES).status
    me = replace(JOINED, held_round=3, after_round=3, read=own(large()))
    assert first.sliced is not None
    stranger = next(n for n in ("v", "w", "x", "y") if slice_of(n, first.sliced) != slice_of("b", first.sliced))
    lost = next(n for n in NAMES.split() if slice_of(n, first.sliced) != slice_of("b", first.sliced))
    later = large(NAMES.replace(lost, stranger), first, 4)
    assert isinstance(standing(later, me), Place)


def test_another_incarnation_does_not_take_what_the_former_has_read_for_its_own() -> None:
    seen = large()
    assert isinstance(standing(seen, replace(Standpoint("b2", UID), read=own(seen))), MustRead)
    assert isinstance(standing(seen, Standpoint()), MustJoin)


def test_it_is_told_to_stop_by_a_round_that_it_has_not_read() -> None:
    me = replace(JOINED, held_round=3, read=own(large()))
    assert nodes_waiting(large(number=4), me) == 1
    assert nodes_waiting(large(forming=told()), me) > 0
    assert isinstance(standing(large(number=4), me), MustRejoin)


@pytest.mark.parametrize(("number", "holds"), [(3, True), (4, False)])
def test_without_reading_it_knows_that_it_holds_the_place_that_it_took(number: int, holds: bool) -> None:
    assert holds_a_place(large(number=number), replace(JOINED, held_round=3)) is holds


def test_those_of_a_slice_watch_each_other() -> None:
    seen = large()
    assert circle(seen.status, replace(JOINED, read=own(seen))) == ("b", "e")
    assert circle(seen.status, JOINED) == ()
    assert circle(round_of("a b"), JOINED) == ("a", "b")


@pytest.mark.parametrize(("held_round", "those"), [(3, ("b", "e")), (2, ())])
def test_those_who_run_a_round_go_on_watching_each_other_when_their_slice_is_made_again(
    held_round: int, those: tuple[str, ...]
) -> None:
    seen = large()
    assert seen.status.sliced is not None
    again = replace(seen.status.sliced, members=tuple(f"{digest}x" for digest in seen.status.sliced.members))
    me = replace(JOINED, held_round=held_round, read=own(seen))
    assert circle(replace(seen.status, sliced=again), me) == those
    assert circle(replace(seen.status, sliced=again), replace(me, name="b2")) == ()
