"""What both torch engines have in common: the round's store, and what a broken round looks like in torch."""

import contextlib
import socket
import sys
import threading
from datetime import timedelta
from typing import cast

import torch.distributed as dist

from kube_rendezvous.membership.standing import Place
from kube_rendezvous.resources import BootstrapStore
from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.abandonable import AbandonableStore, unless_given_up
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.own_connections import cut_those_between, end, numeric
from kube_rendezvous.survival.roster_exchange import GivenUp
from kube_rendezvous.survival.worker_place import WorkerPlace
from kube_rendezvous.tcp_store import open_tcp_store

# How gloo and NCCL say that a round is broken, where they raise plain RuntimeErrors.
_BROKEN = (
    "gloo",
    "nccl",
    "application timeout caused pair closure",
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "socket closed",
    "process group has not been initialized",
    "process group has been aborted",
)


def open_round_store(
    place: WorkerPlace, listening: socket.socket | None, *, timeout: float, given_up: GivenUp
) -> Store:
    """Serve the round's store on the announced socket, or connect to it.

    Args:
        timeout: seconds for one operation on the store.

    Raises:
        RoundOverError: `given_up` became true first.
    """
    where = Place(
        round=place.number,
        rank=place.node_rank,
        world_size=place.node_count,
        store=BootstrapStore(member="", address=place.master_addr, port=place.master_port),
        rendezvous_uid=place.rendezvous_uid,
    )
    abandoned = threading.Event()
    itself: set[tuple[str, int]] = set()

    def connect() -> Store | None:
        with contextlib.suppress(OSError):  # torch says what is wrong with the name
            itself.update(numeric(place.master_addr, place.master_port))
        return open_tcp_store(where, listening, timeout=timeout, given_up=is_given_up)

    def let_go() -> None:
        with contextlib.suppress(OSError):  # no descriptor is left to look with
            cut_those_between(itself, end)

    def is_given_up() -> bool:
        return abandoned.is_set() or given_up()

    try:
        store = unless_given_up(connect, given_up, let_go)
    except BaseException:
        abandoned.set()
        raise
    if store is None:
        raise RoundOverError(f"round {place.number} is over before its store was reached")
    return cast(Store, AbandonableStore(store, given_up, let_go))


def is_broken_round(error: BaseException) -> bool:
    """Whether torch says that peers are gone: its own classes, or what gloo and NCCL say in plain RuntimeErrors."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError | ValueError) and any(sign in str(error).lower() for sign in _BROKEN)


def seconds(value: float) -> timedelta:
    """As torch wants it."""
    return timedelta(seconds=value)


def forget_meshes() -> None:
    """Let DTensor forget the meshes of the last round.

    A mesh equals every other one of the same shape and ranks, whatever its groups. DTensor's caches give the tensors of
    a new mesh the one that they have seen before, and so groups that are gone: "Could not resolve the process group".
    """
    if "torch.distributed.tensor" not in sys.modules:
        return
    with contextlib.suppress(ImportError, AttributeError):  # older torch has fewer of them
        from torch.distributed.tensor import _redistribute, debug

        debug._clear_sharding_prop_cache()
        _redistribute._gen_transform_infos.cache_clear()
        _redistribute.clear_redistribute_planner_cache()
