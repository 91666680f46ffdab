"""The engine for every torch: a round that is given up leaves nothing behind that keeps this process from the next."""

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
            engine.take_in(first, listening, progress=0, given_up=over.is_set)
        thread.join()

        alone = WorkerPlace("ns", "run", "uid", 2, 0, 1, 0, 1, "127.0.0.1", next_one.getsockname()[1])
        engine.take_in(alone, next_one, progress=0, given_up=never)
        assert dist.group.WORLD is not None
        assert dist.group.WORLD.group_name == "0"  # as that of a newcomer
        engine.close()
