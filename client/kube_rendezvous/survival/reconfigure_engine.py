"""The engine that uses torch's own `_reconfigure` (torch 2.15, experimental): one group for all rounds.

The only module that touches c10d's private names for it. What torch leaves to its caller, found by running 2.15.0:

- A handle is unique through the rank given at init alone. Each process gets a number of its own there; the group's
  size there is 1, because c10d keeps a table of that many ranks.
- A process waits for the others in the store that it gave at init: ours moves on with the rounds.
- c10d goes on to hold its first table of ranks, and names sub-groups by a counter of each process: a newcomer's would
  differ. Both are set by the round.
- Sub-groups of the last round have members that are gone, and hold connections: a round ends them.
- The listener of the group lives as long as its device, and with it whatever connected in vain. Where this process did
  so itself, to free a thread, the next round gets another device; the old one goes with the old round's connections.
"""

import inspect
import logging
import os
import socket
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d

from kube_rendezvous.survival.engine import Taken
from kube_rendezvous.survival.gloo_connections import MOMENT_SECONDS, GlooConnections
from kube_rendezvous.survival.gloo_waiters import threads_that_wait
from kube_rendezvous.survival.roster import Entry
from kube_rendezvous.survival.roster_exchange import NEWS_SECONDS, GivenUp, agree_done, exchange_rosters
from kube_rendezvous.survival.round_store import RoundStore
from kube_rendezvous.survival.torch_round import forget_meshes, is_broken_round, open_round_store, seconds
from kube_rendezvous.survival.torchrun_environment import set_environment
from kube_rendezvous.survival.worker_place import WorkerPlace

_log = logging.getLogger(__name__)

BACKENDS = ("gloo",)
"""Those whose process group takes a round in this way, as far as it was tried."""

_NEWCOMER_BITS, _ROUND_BITS = 18, 13
_GROUPS_A_ROUND = 1 << 16


def torch_can_reconfigure() -> bool:
    """Whether the installed torch has the API."""
    names = ("_reconfigure", "_get_reconfigure_handle", "_supports_reconfigure")
    has_names = all(hasattr(c10d, name) for name in names)
    return has_names and "enable_reconfigure" in inspect.signature(dist.init_process_group).parameters


class ReconfigureEngine:
    """See `Engine`.

    Args:
        backend: of the process group.
        collective_timeout: seconds for one collective.
        take_in_timeout: seconds for connecting to the peers of a round.
    """

    name = "reconfigure"
    moment = MOMENT_SECONDS

    def __init__(self, backend: str, *, collective_timeout: float, take_in_timeout: float) -> None:
        self._backend = backend
        self._collective_timeout = collective_timeout
        self._take_in_timeout = take_in_timeout
        self._store = RoundStore()
        self._connections = GlooConnections(lambda: self._store.addresses)
        self._taken: Taken | None = None
        self._place: WorkerPlace | None = None

    def take_in(
        self, place: WorkerPlace, listening: socket.socket | None, *, progress: int, newcomer: bool, given_up: GivenUp
    ) -> Taken:
        """See `Engine`."""
        store = open_round_store(place, listening, timeout=self._take_in_timeout, given_up=given_up)
        stood_in = self._store.stood_in
        self._store.move_on(store, given_up, place.node_count * place.local_world_size)
        if not dist.is_initialized():
            self._make_group(place, store.add("newcomers", 1))
        elif stood_in:
            c10d._get_default_group()._get_backend(torch.device("cpu")).options._devices = _devices()
        self._end_sub_groups()
        forget_meshes()
        group = c10d._get_default_group()
        entry = Entry(
            node_rank=place.node_rank,
            local_rank=place.local_rank,
            handle=c10d._get_reconfigure_handle(),
            progress=progress,
            newcomer=newcomer,
        )
        roster = exchange_rosters(store, place, entry, given_up)
        rank = roster.rank_of(place.node_rank, place.local_rank)
        limit = seconds(self._take_in_timeout)
        c10d._reconfigure(uuid=place.unique_number, handles=roster.handles, timeout=limit).wait()
        self._store.groups_are_made()
        c10d._world.pg_group_ranks[group] = {each: each for each in range(roster.world_size)}
        c10d._world.group_count = place.number * _GROUPS_A_ROUND
        set_environment(place, rank, roster.world_size)
        self._place, self._taken = place, Taken(rank, roster)
        return self._taken

    def leave(self) -> None:
        """See `Engine`."""
        self._connections.end()

    def free(self) -> None:
        """See `Engine`."""
        self._connections.end_reading()
        self._store.free_those_that_connect()

    def waiting(self) -> frozenset[str]:
        """See `Engine`."""
        return threads_that_wait()

    def collectives_succeeded(self) -> bool:
        """See `Engine`. Those that fail raise by themselves."""
        return True

    def agree_done(self, given_up: GivenUp) -> bool:
        """See `Engine`."""
        assert self._taken is not None
        assert self._place is not None
        return agree_done(self._store.patient(NEWS_SECONDS), self._taken.roster, self._place.serves_store, given_up)

    def is_failure_of_peer(self, error: BaseException) -> bool:
        """See `Engine`."""
        return is_broken_round(error)

    def close(self) -> None:
        """See `Engine`."""
        self._connections.end()
        if dist.is_initialized():
            dist.destroy_process_group()
        self._store.move_on(None, lambda: True)

    def _make_group(self, place: WorkerPlace, newcomer_number: int) -> None:
        first_round = place.number % (1 << _ROUND_BITS)
        dist.init_process_group(
            self._backend,
            store=self._store,
            rank=first_round << _NEWCOMER_BITS | newcomer_number,
            world_size=1,
            timeout=seconds(self._collective_timeout),
            enable_reconfigure=True,
        )

    def _end_sub_groups(self) -> None:
        for group in list(c10d._world.pg_map):
            if group is not dist.group.WORLD:
                dist.destroy_process_group(group)


def _devices() -> list[Any]:
    """As `init_process_group` makes them."""
    gloo = dist.ProcessGroupGloo
    interfaces = [name for name in os.environ.get("GLOO_SOCKET_IFNAME", "").split(",") if name]
    return [gloo.create_device(interface=name) for name in interfaces] or [gloo.create_default_device()]
