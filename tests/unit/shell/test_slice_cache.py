"""Which slices have been deleted: told by an event, or missing in a list; and whose operator is woken for it."""

import pytest

from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous_operator.shell.watching.member_cache import Key
from kube_rendezvous_operator.shell.watching.slice_cache import SliceCache
from unit.scripted_connection import ScriptedConnection

RUN = ("ns", "run")


class Watched:
    """A cache, and what it has woken."""

    def __init__(self) -> None:
        self.woken: list[tuple[Key, str]] = []
        connection = ScriptedConnection()
        self.cache = SliceCache(connection, None, lambda key, digest: self.woken.append((key, digest)))  # type: ignore[arg-type]

    def gone(self, digest: str) -> bool:
        return self.cache.is_gone("ns", f"run-{digest}")


def raw_slice(digest: str) -> Object:
    return {"metadata": {"namespace": "ns", "name": f"run-{digest}", "uid": digest}, "spec": {"rendezvous": "run"}}


@pytest.fixture
def watched() -> Watched:
    watched = Watched()
    watched.cache.relisted([raw_slice("a"), raw_slice("b")])
    return watched


def test_what_is_there_is_not_gone_nor_what_was_never_seen(watched: Watched) -> None:
    assert [watched.gone(one) for one in ("a", "b", "c")] == [False, False, False]
    assert watched.woken == []


def test_one_that_is_removed_is_gone_and_its_rendezvous_is_looked_at(watched: Watched) -> None:
    watched.cache.removed(raw_slice("a"))
    assert (watched.gone("a"), watched.gone("b"), watched.woken) == (True, False, [(RUN, "a")])


def test_one_that_a_list_is_missing_is_gone_though_no_event_said_so(watched: Watched) -> None:
    watched.cache.relisted([raw_slice("b")])
    assert (watched.gone("a"), watched.woken) == (True, [(RUN, "a")])


def test_one_that_is_made_again_under_its_name_is_there(watched: Watched) -> None:
    watched.cache.removed(raw_slice("a"))
    watched.cache.changed(raw_slice("a"))
    assert not watched.gone("a")


def test_one_that_came_and_went_between_two_looks_is_gone(watched: Watched) -> None:
    watched.cache.removed(raw_slice("c"))
    assert watched.gone("c")
