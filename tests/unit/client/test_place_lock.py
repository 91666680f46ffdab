"""The lock of a place: one process of a pod at a time, whatever way the one before it ended."""

import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

from kube_rendezvous.membership.place_lock import PlaceLock, PlaceTakenError, take_place

HOLDS = """
import sys, time
from kube_rendezvous.membership.place_lock import take_place
lock = take_place(sys.argv[1], "ns", "run", "0", give_up=0)
lock.begin()
lock.member = "trainer-0-x7k2p"
print("held", flush=True)
time.sleep(60)
"""


def take(pod: str, slot: str = "0", seconds: float = 0.0) -> PlaceLock | None:
    lock = take_place(pod, "ns", "run", slot, give_up=time.monotonic() + seconds)
    if lock is not None:
        lock.begin()
    return lock


@pytest.fixture
def pod() -> str:
    return str(uuid.uuid4())


def test_another_process_that_holds_it_is_named_and_its_sudden_end_sets_it_free(pod: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, pod], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PlaceTakenError, match=rf"trainer-0-x7k2p \(process {holder.pid}\)"):
            take(pod)
        holder.send_signal(signal.SIGKILL)
        lock = take(pod, seconds=10)
        assert lock is not None
        lock.release()
    finally:
        holder.kill()
        holder.wait(10)
        if holder.stdout is not None:
            holder.stdout.close()


def test_another_slot_and_another_pod_are_other_places(pod: str) -> None:
    locks = [take(pod), take(pod, slot="1"), take(str(uuid.uuid4()))]
    for lock in locks:
        assert lock is not None
        lock.release()


def test_it_is_free_when_it_was_let_go_and_its_thread_ends(pod: str) -> None:
    for _ in range(3):
        lock = take(pod, seconds=5)
        assert lock is not None
        lock.release()
        lock.release()
    deadline = time.monotonic() + 5
    while any(thread.name == "rendezvous-place" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(thread.name == "rendezvous-place" for thread in threading.enumerate())


def test_who_is_about_to_end_is_waited_for(pod: str) -> None:
    first = take(pod)
    assert first is not None
    threading.Timer(0.3, first.release).start()
    second = take(pod, seconds=10)
    assert second is not None
    second.release()


def test_a_holder_that_does_not_answer_gives_nobody_the_lock(pod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that was forked keeps the socket open, although the node has ended."""
    monkeypatch.setattr("kube_rendezvous.membership.place_lock._ANSWER_SECONDS", 0.2)
    lock = take(pod)
    assert lock is not None
    name = lock._listening.getsockname()
    lock.release()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as orphan:
        orphan.bind(name)
        orphan.listen()
        assert take(pod) is None


def test_where_there_are_no_such_sockets_there_is_no_lock(pod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> socket.socket:
        raise PermissionError("seccomp")

    monkeypatch.setattr(socket, "socket", none)
    assert take(pod) is None
