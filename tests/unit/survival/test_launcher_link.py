"""A worker hears of rounds from its launcher, which is played here at the other end of the pair of sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.api import RendezvousClosedError, RendezvousConnectionError, RendezvousTimeoutError
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.survival.launcher_link import LauncherLink
from kube_rendezvous.survival.launcher_wire import (
    Ask,
    Done,
    FromWorker,
    Give,
    NoMore,
    Over,
    Took,
    receive_from_worker,
    send_to_worker,
    socket_pair,
)
from kube_rendezvous.survival.round_source import GivenRound
from unit.raising_signals import again_and_again
from unit.survival.builders import place

SECONDS = 10.0
LONG = 3600.0
TIMES = 500


class Launcher:
    """The launcher's end."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def hears(self) -> FromWorker | None:
        return receive_from_worker(self.end)

    def gives(self, number: int, listening: socket.socket | None = None) -> None:
        send_to_worker(self.end, Give(place(number), listening))

    def says_over(self, number: int, message: str = "node-1 is lost") -> None:
        send_to_worker(self.end, Over(Interruption(number, "MemberLost", message)))

    def says_no_more(self, message: str, *, closed: bool) -> None:
        send_to_worker(self.end, NoMore(message, closed))


@pytest.fixture
def launcher_and_link() -> Iterator[tuple[Launcher, LauncherLink]]:
    ours, theirs = socket_pair()
    with ours:
        ours.settimeout(SECONDS)
        yield Launcher(ours), LauncherLink(theirs, "re-init")


@pytest.fixture
def launcher(launcher_and_link: tuple[Launcher, LauncherLink]) -> Launcher:
    return launcher_and_link[0]


@pytest.fixture
def link(launcher_and_link: tuple[Launcher, LauncherLink]) -> LauncherLink:
    return launcher_and_link[1]


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    """The worker's own thread."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


def held(launcher: Launcher, link: LauncherLink, number: int) -> GivenRound:
    """Let the worker take this round."""
    launcher.gives(number)
    given = link.next_round()
    assert isinstance(launcher.hears(), Ask)
    return given


def test_a_worker_asks_and_is_given_a_round(launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor) -> None:
    asking = worker.submit(link.next_round)
    assert launcher.hears() == Ask(0, "re-init")
    assert not asking.done()
    launcher.gives(4)
    assert asking.result(SECONDS) == GivenRound(place(4), None)
    link.took(4)
    assert launcher.hears() == Took(4)


def test_it_asks_for_a_round_after_the_one_that_it_had(launcher: Launcher, link: LauncherLink) -> None:
    held(launcher, link, 4)
    launcher.gives(5)
    assert link.next_round().place.number == 5
    assert launcher.hears() == Ask(4, "re-init")


def test_a_round_that_was_replaced_before_the_worker_looked_is_never_seen_and_its_socket_is_closed(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        launcher.gives(4, listening)
    launcher.gives(5)

    def nobody_listens() -> bool:
        try:
            socket.create_connection(address, SECONDS).close()
        except OSError:  # refused, or reset where it was closed just then
            return True
        return False

    eventually(nobody_listens, "the replaced round's socket is closed", SECONDS)
    assert link.next_round().place.number == 5


def test_the_worker_that_serves_the_store_gets_the_socket(launcher: Launcher, link: LauncherLink) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        launcher.gives(4, listening)
        given = link.next_round()
        assert given.listening is not None
        with given.listening:
            assert given.listening.getsockname() == listening.getsockname()


def test_a_round_is_over_when_the_launcher_says_so(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    held(launcher, link, 4)
    assert link.over() is None
    waiting = worker.submit(link.wait_until_over, LONG)
    launcher.says_over(4)
    assert waiting.result(SECONDS) == link.over() == Interruption(4, "MemberLost", "node-1 is lost")


def test_the_first_reason_for_an_end_is_kept(launcher: Launcher, link: LauncherLink) -> None:
    held(launcher, link, 4)
    launcher.says_over(4, "first")
    launcher.says_over(4, "second")
    held(launcher, link, 5)
    launcher.says_over(4, "third")
    launcher.says_over(5, "of its own")
    over = link.wait_until_over(SECONDS)
    assert over is not None
    assert (over.round, over.message) == (5, "of its own")


def test_the_end_of_an_older_round_does_not_count(launcher: Launcher, link: LauncherLink) -> None:
    held(launcher, link, 4)
    launcher.says_over(4)
    held(launcher, link, 5)
    launcher.says_over(4)
    assert link.wait_until_over(0.05) is None
    assert link.over() is None


def test_a_wait_ends_without_news_after_its_time(launcher: Launcher, link: LauncherLink) -> None:
    held(launcher, link, 4)
    assert link.wait_until_over(0.0) is None


def test_a_wait_ends_when_the_worker_ends(launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor) -> None:
    held(launcher, link, 4)
    waiting = worker.submit(link.wait_until_over, LONG)
    link.leave()
    assert waiting.result(SECONDS) is None


def test_who_is_done_says_so_and_ends(launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor) -> None:
    held(launcher, link, 4)
    waiting = worker.submit(link.wait_until_over, LONG)
    link.done()
    assert launcher.hears() == Done(4)
    assert not waiting.done()
    link.finish()
    assert waiting.result(SECONDS) is None


@pytest.mark.parametrize(
    ("closed", "error"), [(True, RendezvousClosedError), (False, RendezvousTimeoutError)], ids=["closed", "too few"]
)
def test_there_will_be_no_other_round(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor, closed: bool, error: type[Exception]
) -> None:
    asking = worker.submit(link.next_round)
    launcher.says_no_more("the reason", closed=closed)
    with pytest.raises(error, match="the reason"):
        asking.result(SECONDS)


def raises_that_the_launcher_is_gone(asking: Future[GivenRound]) -> None:
    with pytest.raises(RendezvousConnectionError, match="the launcher of this node is gone"):
        asking.result(SECONDS)


def test_the_launchers_end_is_a_clear_error_for_who_waits(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    asking = worker.submit(link.next_round)
    assert launcher.hears() == Ask(0, "re-init")
    launcher.end.close()
    raises_that_the_launcher_is_gone(asking)


def test_the_launchers_end_is_a_clear_error_for_who_asks_later(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    held(launcher, link, 4)
    launcher.end.close()
    raises_that_the_launcher_is_gone(worker.submit(link.next_round))


def test_nobody_waits_for_news_from_a_launcher_that_is_gone(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    held(launcher, link, 4)
    waiting = worker.submit(link.wait_until_over, LONG)
    launcher.end.close()
    assert waiting.result(SECONDS) is None


def test_a_launcher_that_says_what_nobody_understands_is_a_clear_error(
    launcher: Launcher, link: LauncherLink, worker: ThreadPoolExecutor
) -> None:
    asking = worker.submit(link.next_round)
    launcher.end.send(b'{"kind": "weather"}')
    with pytest.raises(RendezvousConnectionError, match="weather"):
        asking.result(SECONDS)


def test_its_thread_ends_with_the_launcher(launcher: Launcher, link: LauncherLink) -> None:
    def listeners() -> int:
        return sum(thread.name == "rendezvous-launcher" for thread in threading.enumerate())

    before = listeners()
    launcher.end.close()
    eventually(lambda: listeners() < before, "its thread has ended", SECONDS)


@pytest.mark.parametrize("name", ["wait_until_over", "leave"])
def test_a_signal_whose_handler_raises_leaves_the_link_open(
    launcher: Launcher, link: LauncherLink, interrupted: Callable[[Callable[[], object]], bool], name: str
) -> None:
    calls = {"wait_until_over": lambda: link.wait_until_over(0.00001), "leave": link.leave}
    for _ in range(TIMES):
        assert interrupted(again_and_again(calls[name]))
    launcher.gives(1)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(link.next_round).result(SECONDS).place.number == 1
