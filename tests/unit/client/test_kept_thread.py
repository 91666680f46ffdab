"""A thread that must go on: it begins again after whatever its work raised, and says so meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kube_rendezvous.cluster import KeptThread, kept_thread

LIMIT_SECONDS = 30.0


class Work:
    """Raises what it is given, one after the other, and then works until the end."""

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.working, self.end = threading.Event(), threading.Event()
        self.thread = KeptThread("kept", self)

    def __call__(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.thread.turn()
        self.working.set()
        assert self.end.wait(LIMIT_SECONDS)


Start = Callable[..., Work]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Work] = []

    def begin(*failures: BaseException) -> Work:
        started.append(Work(*failures))
        started[-1].thread.start()
        return started[-1]

    yield begin
    for work in started:
        work.thread.end()
        work.end.set()
        work.thread.join(LIMIT_SECONDS)
        assert not work.thread.is_alive()


@pytest.mark.parametrize("failure", [KeyError("x"), RecursionError(), SystemExit(1), MemoryError()])
def test_whatever_it_raises_it_begins_again(start: Start, failure: BaseException) -> None:
    work = start(failure)
    assert work.working.wait(LIMIT_SECONDS)
    assert work.thread.complaint == ""


def test_while_it_fails_everybody_can_read_why(start: Start) -> None:
    work = start(*[ValueError("not this\x1b[2J")] * 100)
    end = time.monotonic() + LIMIT_SECONDS
    while "times in a row" not in work.thread.complaint and time.monotonic() < end:
        time.sleep(0.01)
    assert work.thread.complaint.startswith("kept has failed ")
    assert "not this" in work.thread.complaint
    assert "\x1b" not in work.thread.complaint


def test_one_that_does_not_keep_to_its_time_is_stuck(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    work = start()
    assert work.working.wait(LIMIT_SECONDS)
    work.thread.turn(within=30.0)
    now = time.monotonic()
    monkeypatch.setattr(kept_thread.time, "monotonic", lambda: now + 31)
    assert work.thread.complaint == "kept has done nothing for 31 s"
    work.thread.turn()
    monkeypatch.setattr(kept_thread.time, "monotonic", lambda: now + 3600)
    assert work.thread.complaint == "", "one that waits for something to do may wait"


def test_nobody_complains_of_one_that_was_not_started_or_was_told_to_end(start: Start) -> None:
    assert KeptThread("kept", lambda: None).complaint == ""
    work = start()
    work.thread.end()
    work.end.set()
    work.thread.join(LIMIT_SECONDS)
    assert work.thread.complaint == ""
