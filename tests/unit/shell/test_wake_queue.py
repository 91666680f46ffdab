"""Wake-ups: coalesced, the earliest counts, and no key is in two hands at once."""

import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from kube_rendezvous_operator.shell.reconciling.wake_queue import WakeQueue

LIMIT_SECONDS = 30.0
SHORT = 0.05


@pytest.fixture
def queue() -> Iterator[WakeQueue[str]]:
    queue: WakeQueue[str] = WakeQueue()
    yield queue
    queue.close()


@pytest.fixture
def taker(queue: WakeQueue[str]) -> Iterator[ThreadPoolExecutor]:
    """Threads that may wait for the queue; they are released at the end."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
        queue.close()


def take_all(queue: WakeQueue[str]) -> list[str]:
    """Everything that is due, in order; each done at once."""
    queue.wake("the end", SHORT)
    taken = []
    while (key := queue.take()) != "the end":
        assert key is not None
        taken.append(key)
        queue.done(key)
    queue.done("the end")
    return taken


def test_many_wake_ups_of_one_key_are_one(queue: WakeQueue[str]) -> None:
    for _ in range(100):
        queue.wake("a")
    assert take_all(queue) == ["a"]


def test_keys_come_in_the_order_in_which_they_are_due(queue: WakeQueue[str]) -> None:
    queue.wake("late", 0.02)
    queue.wake("a")
    queue.wake("b")
    assert take_all(queue) == ["a", "b", "late"]


def test_of_two_wake_ups_the_earlier_one_counts(queue: WakeQueue[str]) -> None:
    queue.wake("a", 60)
    queue.wake("a", 0.01)
    queue.wake("b", 0.01)
    queue.wake("b", 60)
    assert take_all(queue) == ["a", "b"]


def test_a_key_that_was_taken_is_not_due_again_at_its_later_wake_up(queue: WakeQueue[str]) -> None:
    queue.wake("a", 0.02)
    queue.wake("a")
    assert take_all(queue) == ["a"]


def test_nothing_is_handed_out_before_it_is_due(queue: WakeQueue[str]) -> None:
    began = time.monotonic()
    queue.wake("a", SHORT)
    assert queue.take() == "a"
    assert time.monotonic() - began >= SHORT


def test_who_waits_for_a_late_key_is_given_an_early_one(queue: WakeQueue[str], taker: ThreadPoolExecutor) -> None:
    queue.wake("late", 60)
    taken = taker.submit(queue.take)
    queue.wake("early")
    assert taken.result(LIMIT_SECONDS) == "early"


def test_a_key_in_one_hand_is_not_given_into_another_and_comes_again_when_it_is_done(
    queue: WakeQueue[str], taker: ThreadPoolExecutor
) -> None:
    queue.wake("a")
    assert queue.take() == "a"
    queue.wake("a")
    other: Future[str | None] = taker.submit(queue.take)
    queue.wake("b")
    assert other.result(LIMIT_SECONDS) == "b", "while a is in hand only b can be had"
    again = taker.submit(queue.take)
    assert not again.done()
    queue.done("a")
    assert again.result(LIMIT_SECONDS) == "a"


def test_a_key_that_nobody_woke_meanwhile_does_not_come_again(queue: WakeQueue[str]) -> None:
    queue.wake("a")
    assert take_all(queue) == ["a"]
    assert take_all(queue) == []


@pytest.mark.parametrize("woken", ["while it was handled", "after it was done"])
def test_a_key_rests_after_it_was_handled(queue: WakeQueue[str], woken: str) -> None:
    queue.wake("a")
    queue.take()
    if woken == "while it was handled":
        queue.wake("a")
    began = time.monotonic()
    queue.done("a", rest=SHORT)
    if woken == "after it was done":
        queue.wake("a")
    assert queue.take() == "a"
    assert time.monotonic() - began >= SHORT


def test_the_rest_of_one_key_holds_up_no_other(queue: WakeQueue[str]) -> None:
    queue.wake("a")
    queue.take()
    queue.done("a", rest=60)
    queue.wake("a")
    queue.wake("b")
    assert take_all(queue) == ["b"]


def test_a_rest_does_not_shorten_a_later_wake_up(queue: WakeQueue[str]) -> None:
    queue.wake("a")
    queue.take()
    queue.wake("a", 60)
    queue.done("a", rest=0.001)
    assert take_all(queue) == []


def test_closing_releases_those_who_wait(queue: WakeQueue[str], taker: ThreadPoolExecutor) -> None:
    waiting = [taker.submit(queue.take) for _ in range(3)]
    queue.close()
    assert [one.result(LIMIT_SECONDS) for one in waiting] == [None, None, None]


def test_a_closed_queue_hands_out_nothing_more(queue: WakeQueue[str]) -> None:
    queue.wake("a")
    queue.close()
    assert queue.take() is None


def test_under_a_storm_no_key_is_in_two_hands_and_none_is_forgotten(
    queue: WakeQueue[str], taker: ThreadPoolExecutor
) -> None:
    keys = [f"key-{number}" for number in range(5)]
    woken = dict.fromkeys(keys, 0)
    seen = dict.fromkeys(keys, 0)
    hands: dict[str, threading.Lock] = {key: threading.Lock() for key in keys}
    caught_up = threading.Event()

    def handle() -> None:
        while (key := queue.take()) is not None:
            assert hands[key].acquire(blocking=False), f"{key} is in two hands"
            seen[key] = woken[key]  # what was said before the key was taken is known now
            hands[key].release()
            queue.done(key)
            if seen == dict.fromkeys(keys, 200):
                caught_up.set()

    handlers = [taker.submit(handle) for _ in range(4)]
    for _ in range(200):
        for key in keys:
            woken[key] += 1
            queue.wake(key)
    assert caught_up.wait(LIMIT_SECONDS), seen
    queue.close()
    for one in handlers:
        one.result(LIMIT_SECONDS)


def test_what_is_handled_knows_since_when_it_was_to_be(queue: WakeQueue[str]) -> None:
    before = time.monotonic()
    queue.wake("a")
    queue.wake("a", 60)
    assert queue.asked_at("a") is None, "not handled yet"
    assert queue.take() == "a"
    asked = queue.asked_at("a")
    assert asked is not None
    assert before <= asked <= time.monotonic()
    queue.done("a", SHORT)
    assert queue.asked_at("a") is None


def test_a_rest_does_not_hide_how_long_something_waited(queue: WakeQueue[str]) -> None:
    queue.wake("a")
    assert queue.take() == "a"
    queue.done("a", SHORT)
    woken = time.monotonic()
    queue.wake("a")
    assert queue.take() == "a"
    asked = queue.asked_at("a")
    assert asked is not None
    assert asked - woken < SHORT <= time.monotonic() - woken + 0.01


class Name:
    """A key of which can be told whether anybody still knows it."""


@pytest.mark.parametrize("late", [None, 3600.0], ids=["woken once", "woken for later, then at once"])
@pytest.mark.parametrize("rest", [0.0, 1e-6], ids=["without a rest", "with a rest"])
def test_keys_that_are_not_woken_any_more_are_forgotten(
    queue: WakeQueue[Name], late: float | None, rest: float
) -> None:
    known: weakref.WeakSet[Name] = weakref.WeakSet()
    for _ in range(1000):
        key = Name()
        known.add(key)
        if late is not None:
            queue.wake(key, late)
        queue.wake(key)
        assert queue.take() is key
        queue.done(key, rest)
    assert len(known) < 100


@pytest.mark.parametrize("after", [1e10, 1e12, float("inf")])
def test_a_wake_up_that_is_farther_off_than_a_thread_can_wait_ends_nobody(
    queue: WakeQueue[str], taker: ThreadPoolExecutor, after: float
) -> None:
    queue.wake("a", after)
    taken = taker.submit(queue.take)
    queue.wake("b")
    assert taken.result(LIMIT_SECONDS) == "b"
    again = taker.submit(queue.take)
    queue.wake("c", SHORT)
    assert again.result(LIMIT_SECONDS) == "c"


def test_groups_take_turns_so_that_one_with_very_many_keys_makes_no_other_wait() -> None:
    queue: WakeQueue[str] = WakeQueue(group=lambda key: key[0])
    for number in range(100):
        queue.wake(f"noisy-{number}")
    queue.wake("quiet")
    first = queue.take()
    assert first == "noisy-0"
    queue.done(first)
    assert queue.take() == "quiet"


def test_one_group_never_has_all_hands(taker: ThreadPoolExecutor) -> None:
    queue: WakeQueue[str] = WakeQueue(group=lambda key: key[0], most_of_a_group=2)
    for number in range(5):
        queue.wake(f"noisy-{number}")
    assert [queue.take(), queue.take()] == ["noisy-0", "noisy-1"]
    third = taker.submit(queue.take)
    queue.wake("quiet")
    assert third.result(LIMIT_SECONDS) == "quiet"
    fourth = taker.submit(queue.take)
    queue.done("noisy-0")
    assert fourth.result(LIMIT_SECONDS) == "noisy-2"
    queue.close()
