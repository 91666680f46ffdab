"""A store whose host is silent does not hold a worker longer than its round lasts."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from kube_rendezvous.survival.abandonable import AbandonableStore, unless_given_up
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.torch_round import open_round_store
from kube_rendezvous.survival.worker_place import WorkerPlace

SOON = 10.0
SERVER = """
import sys, torch.distributed as dist
store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
print(store.port, flush=True)
sys.stdin.read()
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
