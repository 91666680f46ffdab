"""Workers of a round learn who they all are, and agree on the end: all of them, or none."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival import roster_exchange
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.roster import Roster
from kube_rendezvous.survival.roster_exchange import agree_done, await_keys, exchange_rosters
from unit.survival.builders import MemoryStore, entry, place

SECONDS = 20.0


def never() -> bool:
    return False


@pytest.fixture
def store() -> Any:
    return MemoryStore()


def at_once(*calls: Callable[[], Any]) -> list[Future[Any]]:
    """Make all calls, each in a thread; all of them must come back."""
    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(call) for call in calls]
        for future in futures:
            future.exception(SECONDS)
    return futures


def exchange(store: Any, sizes: Sequence[int], absent: Sequence[tuple[int, int]] = (), given_up: Any = never) -> Any:
    def one(node: int, local: int) -> Callable[[], Roster]:
        where = place(node=node, nodes=len(sizes), local=local, local_size=sizes[node])
        return lambda: exchange_rosters(store, where, entry(node, local, progress=10 * node + local), given_up)

    everybody = [(node, local) for node, size in enumerate(sizes) for local in range(size)]
    return at_once(*[one(*where) for where in everybody if where not in absent])


@pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [2, 2], [1, 3, 2], [4, 1]], ids=str)
def test_everybody_gets_the_same_roster(store: Any, sizes: list[int]) -> None:
    rosters = [future.result() for future in exchange(store, sizes)]
    assert len(set(rosters)) == 1
    everybody = [(node, local) for node, size in enumerate(sizes) for local in range(size)]
    assert [(one.node_rank, one.local_rank) for one in rosters[0].entries] == everybody
    assert [one.progress for one in rosters[0].entries] == [10 * node + local for node, local in everybody]


@pytest.mark.parametrize(
    "absent", [[(0, 0)], [(2, 0)], [(0, 1)], [(2, 0), (2, 1)]], ids=["the store's", "one", "a neighbour", "a node"]
)
def test_nobody_waits_for_a_worker_that_never_comes_once_the_round_is_over(
    store: Any, absent: list[tuple[int, int]]
) -> None:
    over = threading.Event()
    threading.Timer(0.1, over.set).start()
    for future in exchange(store, [2, 1, 2], absent, over.is_set):
        with pytest.raises(RoundOverError, match="is over before"):
            future.result()


def test_a_round_that_is_over_already_is_taken_all_the_same_if_everybody_is_there(store: Any) -> None:
    roster = Roster.of([entry()])
    store.set("roster", roster.to_bytes())
    assert exchange_rosters(store, place(nodes=2, node=1), entry(1), lambda: True) == roster


def test_the_store_is_asked_less_often_the_more_ask() -> None:
    class Counting(MemoryStore):
        asked = 0

        def check(self, keys: Sequence[str]) -> bool:
            self.asked += 1
            return False

    def questions(askers: int) -> int:
        store, over = Counting(), threading.Event()
        threading.Timer(0.5, over.set).start()
        with pytest.raises(RoundOverError):
            await_keys(cast(Store, store), ["key"], over.is_set, askers)
        return store.asked

    # The first pauses are short for all; then 20 ms for a few, 0.5 s for a thousand.
    assert 10 < questions(1) < 60
    assert questions(1000) < 25


def agree(store: Any, count: int, of: int, given_up: Callable[[], bool] = never) -> list[bool]:
    roster = Roster.of([entry(node) for node in range(of)])
    calls = [lambda node=node: agree_done(store, roster, node == 0, given_up) for node in range(count)]
    return [future.result() for future in at_once(*calls)]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_all_are_done_when_all_say_so(store: Any, count: int) -> None:
    assert agree(store, count, count) == [True] * count


def test_nobody_is_done_when_the_round_is_over_before_all_are(store: Any) -> None:
    over = threading.Event()
    threading.Timer(0.1, over.set).start()
    assert agree(store, 3, 4, over.is_set) == [False] * 3


def test_nobody_is_done_once_one_has_gone_on_to_the_next_round(store: Any) -> None:
    roster, heard, others_heard = Roster.of([entry(0), entry(1)]), threading.Event(), threading.Event()
    heard.set()
    assert agree_done(store, roster, False, heard.is_set) is False
    threading.Timer(0.2, others_heard.set).start()
    assert agree_done(store, roster, True, others_heard.is_set) is False


def test_who_hears_that_the_round_is_over_is_done_all_the_same_if_the_others_are(store: Any) -> None:
    roster, asked = Roster.of([entry(0), entry(1)]), threading.Event()
    answers: list[bool] = []

    def over_just_now() -> bool:
        if not asked.is_set():  # between this worker's look at the store and its giving up, the last one is done
            asked.set()
            last = threading.Thread(target=lambda: answers.append(agree_done(store, roster, False, never)))
            last.start()
            last.join(SECONDS)
        return True

    answers.append(agree_done(store, roster, False, over_just_now))
    assert answers == [True, True]


def test_the_worker_that_serves_the_store_ends_last(store: Any) -> None:
    roster = Roster.of([entry(0), entry(1)])
    store.set("done", "1")  # the other one is done, and has not seen the answer yet
    with ThreadPoolExecutor(1) as threads:
        serving = threads.submit(agree_done, store, roster, True, never)
        assert agree_done_again(store, serving)


def agree_done_again(store: Any, serving: Future[bool]) -> bool:
    """What the other one does when it looks again."""
    await_keys(store, ["all-done"], never, 1)
    assert not serving.done()
    store.add("all-done-seen", 1)
    return serving.result(SECONDS)


@pytest.mark.parametrize("error", [RoundOverError("silent"), RuntimeError("Connection reset by peer")])
@pytest.mark.parametrize("serves_store", [False, True])
def test_whatever_becomes_of_the_store_after_the_answer_all_are_done(
    store: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, serves_store: bool
) -> None:
    add = store.add

    def ends_after_the_answer(key: str, amount: int) -> int:
        if key == "all-done-seen":
            raise error
        return int(add(key, amount))

    monkeypatch.setattr(store, "add", ends_after_the_answer)
    assert agree_done(store, Roster.of([entry(0)]), serves_store, lambda: True) is True


class TestTheStoreAtTheVeryEnd:
    """By a clock that only sleeping moves on."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.at_each = 0.0, lambda: None

        def sleep(_: float) -> None:
            self.now += 1.0
            self.at_each()

        monkeypatch.setattr(roster_exchange, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=sleep))

    def ends(self, store: Any, given_up: Callable[[], bool]) -> float:
        """When the serving worker of two, which are both done, goes."""
        store.set("done", "1")
        assert agree_done(store, Roster.of([entry(0), entry(1)]), True, given_up)
        return self.now

    def test_it_waits_for_one_that_is_frozen_for_half_a_minute(self, store: Any) -> None:
        self.at_each = lambda: store.add("all-done-seen", 1) if self.now == 30.0 else None
        assert self.ends(store, never) == 30.0

    def test_it_waits_a_minute_at_the_most(self, store: Any) -> None:
        assert self.ends(store, never) == 60.0

    def test_it_goes_5_s_after_the_news_that_somebody_is_gone(self, store: Any) -> None:
        assert self.ends(store, lambda: self.now >= 10.0) == 15.0
