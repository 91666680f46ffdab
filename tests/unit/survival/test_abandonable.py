"""A store whose host is silent does not hold a worker longer than its round lasts."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch.distributed as dist

from kube_rendezvous import tcp_store
from kube_rendezvous.survival import abandonable
from kube_rendezvous.survival.abandonable import AbandonableStore, unless_given_up
from kube_rendezvous.survival.engine import Taken
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.reconfigure_engine import ReconfigureEngine
from kube_rendezvous.survival.reinit_engine import ReinitEngine
from kube_rendezvous.survival.roster import Roster
from kube_rendezvous.survival.torch_round import open_round_store
from kube_rendezvous.survival.worker_place import WorkerPlace
from unit.survival.builders import entry

SOON = 10.0
SERVER = """
import sys, torch.distributed as dist
store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
print(store.port, flush=True)
sys.stdin.read()
"""
# Python takes five seconds for its own end here: whoever comes back from C++ meanwhile aborts the process.
ENDS_SLOWLY = """
import atexit, socket, sys, threading, time
import torch.distributed as dist

def say_who_is_left():
    print("left:", *(thread.name for thread in threading.enumerate() if thread.name == "rendezvous-store"), flush=True)

atexit.register(say_who_is_left)  # registered first, called last
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.torch_round import open_round_store
from kube_rendezvous.survival.worker_place import WorkerPlace

class EndsSlowly:
    def __del__(self, sleep=time.sleep):
        sleep(5)

threading.ends_slowly = EndsSlowly()
port = int(sys.argv[1])
place = WorkerPlace("ns", "run", "uid", 3, 1, 2, 0, 1, "127.0.0.1", port)
over = threading.Event()
"""
STORE_STOPS = """
import os, signal
store = open_round_store(place, None, timeout=60.0, given_up=over.is_set)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
while open(f"/proc/{sys.argv[2]}/stat").read().rpartition(")")[2].split()[0] != "T":
    time.sleep(0.01)
threading.Timer(0.2, over.set).start()
try:
    store.check(["key"])
except RoundOverError:
    print("given up", flush=True)
"""
STORE_SAYS_NOTHING = """
listening = socket.create_server(("127.0.0.1", port), backlog=64)  # as of a host that is frozen
threading.Timer(0.5, over.set).start()
try:
    open_round_store(place, None, timeout=60.0, given_up=over.is_set)
except RoundOverError:
    print("given up", flush=True)
"""
STORE_GOES = """
def is_gone_when_it_was_seen(listening=socket.create_server(("127.0.0.1", port))):
    seen, _ = listening.accept()
    listening.close()
    over.set()

threading.Thread(target=is_gone_when_it_was_seen).start()
try:
    open_round_store(place, None, timeout=60.0, given_up=over.is_set)
except RoundOverError:
    print("given up", flush=True)
"""


@pytest.fixture
def stopped_store() -> Iterator[dist.Store]:
    """A store whose host was there and has stopped."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdout is not None
        store = dist.TCPStore("127.0.0.1", int(server.stdout.readline()), is_master=False, wait_for_workers=False)
        server.send_signal(signal.SIGSTOP)
        os.waitpid(server.pid, os.WUNTRACED)  # it may answer until it has stopped
        yield store
        server.kill()


def test_the_answer_comes_as_it_is() -> None:
    store = AbandonableStore(dist.HashStore(), lambda: False)
    store.set("key", "value")
    assert store.get("key") == b"value"
    assert store.add("count", 2) == 2


def test_an_answer_that_is_there_counts_even_if_the_round_is_over() -> None:
    assert AbandonableStore(dist.HashStore(), lambda: True).add("count", 1) == 1


def test_an_error_of_the_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        unless_given_up(lambda: 1 // 0, lambda: False)


@pytest.mark.parametrize("operation", [("add", "key", 1), ("check", ["key"])])
def test_the_round_ends_a_call_to_a_host_that_has_stopped(
    stopped_store: dist.Store, operation: tuple[str, ...]
) -> None:
    over = threading.Event()
    threading.Timer(0.2, over.set).start()
    began = time.monotonic()
    name, *arguments = operation
    with pytest.raises(RoundOverError):
        getattr(AbandonableStore(stopped_store, over.is_set), name)(*arguments)
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("listens", [False, True])
def test_the_round_ends_the_way_to_a_store_that_nobody_serves(listens: bool) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        if listens:
            nobody.listen()
        place = WorkerPlace("ns", "run", "uid", 3, 1, 2, 0, 1, "127.0.0.1", nobody.getsockname()[1])
        over = threading.Event()
        threading.Timer(0.2, over.set).start()
        began = time.monotonic()
        with pytest.raises(RoundOverError):
            open_round_store(place, None, timeout=30.0, given_up=over.is_set)
        assert time.monotonic() - began < SOON


def test_ctrl_c_leaves_a_thread_that_is_known() -> None:
    before, may_end = set(abandonable._abandoned), threading.Event()

    def ctrl_c() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unless_given_up(may_end.wait, ctrl_c)
    (left,) = set(abandonable._abandoned) - before
    may_end.set()
    left.join(SOON)


class SlowStore:
    """Answers after a while, as one on a busy host does."""

    def __init__(self, seconds: float) -> None:
        self._store = dist.HashStore()
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        def answer(*arguments: Any) -> Any:
            time.sleep(self._seconds)
            return call(*arguments)

        return answer


def test_a_patient_store_gets_longer_when_the_round_is_over() -> None:
    store = AbandonableStore(SlowStore(0.5), lambda: True)
    with pytest.raises(RoundOverError):
        store.add("count", 1)
    assert cast(Any, store.patient(SOON)).add("other", 1) == 1


def test_its_patience_is_for_all_calls_together() -> None:
    store: Any = AbandonableStore(SlowStore(SOON), lambda: True).patient(3.0)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(RoundOverError):
            store.add("count", 1)
    assert time.monotonic() - began < 3 * 3.0


@pytest.mark.parametrize("kind", [ReconfigureEngine, ReinitEngine])
def test_at_the_very_end_of_the_work_engines_are_patient(kind: type[ReconfigureEngine] | type[ReinitEngine]) -> None:
    """Who misses the answer of a busy store asks for a round that nobody else comes to."""
    engine: Any = kind("gloo", collective_timeout=10.0, take_in_timeout=10.0)
    store = AbandonableStore(SlowStore(0.3), lambda: True)
    if kind is ReconfigureEngine:
        engine._store.move_on(store, lambda: True)
    else:
        engine._store = store
    engine._place = WorkerPlace("ns", "run", "uid", 3, 0, 1, 0, 1, "127.0.0.1", 1)
    engine._taken = Taken(0, Roster.of([entry(0)]))
    assert engine.agree_done(lambda: True) is True


def test_a_process_that_ends_frees_itself_from_a_store_that_has_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        ended = python(ENDS_SLOWLY + STORE_STOPS, port, str(server.pid))
        server.kill()
    assert (ended.returncode, ended.stdout) == (0, "given up\nleft:\n"), ended.stderr


def test_a_process_that_ends_frees_itself_from_a_store_that_takes_connections_and_says_nothing() -> None:
    """Torch's client connects once more when its connection has ended, and waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = python(ENDS_SLOWLY + STORE_SAYS_NOTHING, str(port))
    assert (ended.returncode, ended.stdout) == (0, "given up\nleft:\n"), ended.stderr


def test_a_process_does_not_end_while_torch_is_on_its_way_to_a_store_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = python(ENDS_SLOWLY + STORE_GOES, str(port))
    assert (ended.returncode, ended.stdout) == (0, "given up\nleft:\n"), ended.stderr


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120)


def test_the_farewell_outlasts_torchs_way_to_a_store() -> None:
    assert abandonable._FAREWELL_SECONDS > tcp_store.LONGEST_CONNECT_SECONDS
