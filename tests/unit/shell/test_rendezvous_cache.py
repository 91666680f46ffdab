"""The newest version of each Rendezvous: it never goes back, and what is gone stays gone."""

import pickle

import pytest

from kube_rendezvous_operator.shell.watching.rendezvous_cache import RendezvousCache
from unit.shell.objects import KEY, UID, raw_rendezvous


@pytest.fixture
def cache() -> RendezvousCache:
    """Knows version 5."""
    cache = RendezvousCache()
    assert cache.put(raw_rendezvous(5))
    return cache


def version_in(cache: RendezvousCache) -> str | None:
    known = cache.get(KEY)
    return known.rendezvous.resource_version if known is not None else None


def test_a_newer_version_is_news(cache: RendezvousCache) -> None:
    assert cache.put(raw_rendezvous(10))
    assert version_in(cache) == "10", "and versions are numbers: 10 is newer than 5"


@pytest.mark.parametrize("version", [4, 5])
def test_an_event_that_is_not_newer_than_our_own_writes_answer_changes_nothing(
    cache: RendezvousCache, version: int
) -> None:
    assert not cache.put(raw_rendezvous(version))
    assert version_in(cache) == "5"


def test_nothing_is_kept_of_what_people_may_write_into_it_without_a_bound(cache: RendezvousCache) -> None:
    large = raw_rendezvous(6)
    large["metadata"] |= {
        "labels": {f"label-{number}": "x" * 63 for number in range(5000)},
        "annotations": {"a": "x" * 200_000, "rendezvous.dev/trusted-places": "slot/3," * 40_000},
        "managedFields": [{"manager": "x" * 100_000}],
    }
    assert cache.put(large)
    assert len(pickle.dumps(cache.get(KEY))) < 5000


def test_another_object_of_the_same_name_takes_its_place_whatever_its_version(cache: RendezvousCache) -> None:
    assert cache.put(raw_rendezvous(3, uid="another"))
    assert version_in(cache) == "3"


def test_what_is_removed_is_not_known(cache: RendezvousCache) -> None:
    assert cache.remove(KEY, UID)
    assert cache.get(KEY) is None
    assert cache.all_keys() == []
    assert not cache.remove(KEY, UID)


def test_the_deletion_of_an_earlier_object_does_not_remove_its_successor(cache: RendezvousCache) -> None:
    cache.put(raw_rendezvous(6, uid="another"))
    assert not cache.remove(KEY, UID)
    assert cache.all_keys() == [KEY]


def test_the_answer_to_a_write_that_was_under_way_does_not_raise_what_was_deleted(cache: RendezvousCache) -> None:
    cache.remove(KEY, UID)
    assert not cache.put(raw_rendezvous(9))
    assert cache.get(KEY) is None
    assert cache.put(raw_rendezvous(1, uid="another")), "its successor is another one"


def test_who_is_missing_from_a_list_is_forgotten_but_not_who_came_while_it_was_made(cache: RendezvousCache) -> None:
    before = cache.uids()
    cache.put(raw_rendezvous(6, uid="another"))
    assert cache.keep_only({"a third"}, before) == []
    assert version_in(cache) == "6"
    assert cache.put(raw_rendezvous(7, uid="another"))
    assert cache.keep_only(set(), cache.uids()) == [KEY]
    assert cache.get(KEY) is None


def test_an_object_that_cannot_be_read_is_refused_and_changes_nothing(cache: RendezvousCache) -> None:
    broken = raw_rendezvous(9)
    del broken["spec"]["minNodes"]
    with pytest.raises(KeyError):
        cache.put(broken)
    assert version_in(cache) == "5"
