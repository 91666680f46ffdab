"""A signal's handler raises at any moment: nothing stays locked, nobody hears of another error, every thread begins."""

import signal
import threading
import time
from collections.abc import Callable

import pytest

from kube_rendezvous.cluster import KeptThread
from kube_rendezvous.signal_proof import Changes, Flag, new_lock
from unit.raising_signals import SignalError, again_and_again

LIMIT_SECONDS = 10.0
TIMES = 2000
"""`threading.Event` does not survive fifty."""


def is_free(lock: threading.RLock, seconds: float = LIMIT_SECONDS) -> bool:
    """Whether another thread can have it."""
    had: list[bool] = []

    def take() -> None:
        had.append(lock.acquire(timeout=seconds))
        if had[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return had == [True]


def test_a_lock_is_free_after_its_block_and_held_within(interrupted: Callable[[Callable[[], object]], bool]) -> None:
    lock, within = new_lock(), 0

    def hold() -> None:
        nonlocal within
        with lock, lock:
            within += 1

    for _ in range(TIMES):
        assert interrupted(again_and_again(hold))
    assert within
    assert is_free(lock)
    with lock:
        assert not is_free(lock, 0.01)


@pytest.mark.parametrize("name", ["set", "clear", "wait"])
def test_a_flag_does_not_stay_locked(interrupted: Callable[[Callable[[], object]], bool], name: str) -> None:
    flag = Flag()
    calls = {"set": flag.set, "clear": flag.clear, "wait": lambda: flag.wait(0.00001)}
    for _ in range(TIMES):
        assert interrupted(again_and_again(calls[name]))
    assert is_free(flag._changes.lock)
    waiting = threading.Thread(target=flag.wait, args=(LIMIT_SECONDS,))
    waiting.start()
    flag.set()
    waiting.join(LIMIT_SECONDS / 2)
    assert not waiting.is_alive()


def test_who_waits_for_a_change_hears_of_the_signal_and_of_nothing_else(
    interrupted: Callable[[Callable[[], object]], bool],
) -> None:
    changes = Changes()
    for _ in range(TIMES):
        assert interrupted(again_and_again(lambda: changes.wait_for(lambda: False, 0.0)))
    assert is_free(changes.lock)


@pytest.mark.parametrize("seconds", [None, LIMIT_SECONDS])
def test_who_waits_in_the_main_thread_hears_of_a_signal_that_did_not_wake_it(seconds: float | None) -> None:
    def handle(number: int, frame: object) -> None:
        raise SignalError(number)

    def send() -> None:
        # To this thread: as for one that came just before the main thread went to sleep, nothing wakes that.
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    flag, before = Flag(), signal.signal(signal.SIGUSR1, handle)
    sends, gives_up = threading.Timer(0.2, send), threading.Timer(LIMIT_SECONDS, flag.set)
    try:
        sends.start()
        gives_up.start()
        with pytest.raises(SignalError):
            flag.wait(seconds)
    finally:
        gives_up.cancel()
        signal.signal(signal.SIGUSR1, before)
    assert not flag.is_set()


def test_a_change_wakes_all_and_only_who_still_waits_is_remembered() -> None:
    changes, seen, found = Changes(), [0], []

    def wait() -> None:
        found.append(changes.wait_for(lambda: seen[0] > 0, LIMIT_SECONDS))

    assert not changes.wait_for(lambda: seen[0] > 0, 0.01)
    assert changes._waiting == []
    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(changes._waiting) < len(threads):
        time.sleep(0.001)
    with changes.lock:
        changes.notify_all()  # of nothing: they wait on
    while len(changes._waiting) < len(threads):
        time.sleep(0.001)
    with changes.lock:
        seen[0] = 1
        changes.notify_all()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
    assert found == [True] * 3
    assert changes._waiting == []


def test_a_thread_whose_start_is_interrupted_begins_and_only_once(
    interrupted: Callable[[Callable[[], object]], bool],
) -> None:
    times = 0
    for _ in range(20 * TIMES):  # on a busy machine few signals come in time
        runs = threading.Semaphore(0)
        thread = KeptThread("kept", runs.release)
        if interrupted(thread.start):
            thread.start()
            times += 1
        assert thread.started
        assert runs.acquire(timeout=LIMIT_SECONDS)
        thread.join(LIMIT_SECONDS)
        assert not runs.acquire(blocking=False)
        if times == TIMES // 40:
            return
    pytest.fail(f"{times} starts were interrupted")
