"""Looking at a process's connections changes nothing about them."""

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.survival.gloo_connections import GlooConnections
from kube_rendezvous.survival.gloo_waiters import threads_that_wait
from kube_rendezvous.survival.own_connections import cut_those_between, duplicate


@pytest.fixture
def a_default_time_limit() -> Iterator[None]:
    """As a trainer may set it: every new socket object would let its socket, whoever else has it, not block."""
    socket.setdefaulttimeout(30.0)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.parametrize("blocks", [True, False])
def test_a_socket_that_is_looked_at_stays_as_blocking_as_it_is(blocks: bool, a_default_time_limit: None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(blocks)
        duplicate(ours.fileno()).close()
        cut_those_between({("10.9.9.9", 1)}, lambda connection: None)
        assert os.get_blocking(ours.fileno()) is blocks


def test_what_is_no_socket_is_not_left_open() -> None:
    reading, writing = os.pipe()
    try:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match="socket"):
            duplicate(reading)
        # A thread of another test may have one open just now.
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before, "no descriptor is left")
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("look", [lambda: GlooConnections().end(), threads_that_wait])
def test_the_name_of_a_thread_may_be_cut_off_within_a_letter(look: Callable[[], object]) -> None:
    named, may_end = threading.Event(), threading.Event()

    def other() -> None:
        with open(f"/proc/self/task/{threading.get_native_id()}/comm", "wb") as name:
            name.write(b"trainer-" + "é".encode()[:1])
        named.set()
        may_end.wait()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert named.wait(20)
        assert not look()
    finally:
        may_end.set()
        thread.join()
