"""The engine for every torch: a round that is given up leaves nothing behind that keeps this process from the next."""

import os
import socket
import threading

import pytest
import torch.distributed as dist

from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.reinit_engine import ReinitEngine
from kube_rendezvous.survival.roster import Entry
from kube_rendezvous.survival.roster_exchange import exchange_rosters
from kube_rendezvous.survival.torch_round import open_round_store
from kube_rendezvous.survival.worker_place import WorkerPlace


def never() -> bool:
    return False


def test_after_a_round_that_was_given_up_while_peers_connected_all_name_their_groups_alike() -> None:
    engine = ReinitEngine("gloo", collective_timeout=20.0, take_in_timeout=20.0)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as next_one:
        first = WorkerPlace("ns", "run", "uid", 1, 0, 2, 0, 1, "127.0.0.1", listening.getsockname()[1])
        peer = WorkerPlace("ns", "run", "uid", 1, 1, 2, 0, 1, "127.0.0.1", listening.getsockname()[1])

        def comes_to_the_roster_and_no_further() -> None:
            store = open_round_store(peer, None, timeout=20.0, given_up=never)
            exchange_rosters(store, peer, Entry(1, 0, "", 0, True), never)
            over.set()

        thread = threading.Thread(target=comes_to_the_roster_and_no_further)
        thread.start()
        with pytest.raises((RoundOverError, RuntimeError)):
            engine.take_in(first, listening, progress=0, newcomer=True, given_up=over.is_set)
        thread.join()

        alone = WorkerPlace("ns", "run", "uid", 2, 0, 1, 0, 1, "127.0.0.1", next_one.getsockname()[1])
        engine.take_in(alone, next_one, progress=0, newcomer=True, given_up=never)
        assert dist.group.WORLD is not None
        assert dist.group.WORLD.group_name == "0"  # as that of a newcomer
        engine.close()


class TestNccl:
    NAMES = ("TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_USE_COMM_NONBLOCKING", "TORCH_NCCL_NONBLOCKING_TIMEOUT")

    def test_is_prepared_to_be_aborted_while_it_works_and_while_it_connects(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in self.NAMES:
            monkeypatch.delenv(name, raising=False)
        ReinitEngine("cpu:gloo,cuda:nccl", collective_timeout=20.0, take_in_timeout=7.0)
        assert [os.environ.pop(name) for name in self.NAMES] == ["0", "1", "7"]

    def test_is_left_as_the_user_has_set_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.NAMES:
            monkeypatch.setenv(name, "5")
        ReinitEngine("nccl", collective_timeout=20.0, take_in_timeout=7.0)
        assert [os.environ[name] for name in self.NAMES] == ["5", "5", "5"]

    def test_is_none_of_gloos_business(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.NAMES:
            monkeypatch.delenv(name, raising=False)
        ReinitEngine("gloo", collective_timeout=20.0, take_in_timeout=7.0)
        assert not any(name in os.environ for name in self.NAMES)
