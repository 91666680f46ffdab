"""The engine for every torch, and for NCCL: abort, destroy, `init_process_group` on the new round's store."""

import contextlib
import os
import socket
from typing import cast

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d

from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.abandonable import AbandonableStore
from kube_rendezvous.survival.engine import Taken
from kube_rendezvous.survival.gloo_connections import MOMENT_SECONDS, GlooConnections
from kube_rendezvous.survival.gloo_waiters import threads_that_wait
from kube_rendezvous.survival.roster import Entry
from kube_rendezvous.survival.roster_exchange import NEWS_SECONDS, GivenUp, agree_done, exchange_rosters
from kube_rendezvous.survival.round_store import RoundStore
from kube_rendezvous.survival.torch_round import forget_meshes, is_broken_round, open_round_store, seconds
from kube_rendezvous.survival.torchrun_environment import set_environment
from kube_rendezvous.survival.worker_place import WorkerPlace

_NCCL_MOMENT_SECONDS = 0.05


class ReinitEngine:
    """See `Engine`.

    Args:
        backend: of the process group, as of `init_process_group`; None: torch's choice.
        collective_timeout: seconds for one collective.
        take_in_timeout: seconds for connecting to the peers of a round.
    """

    name = "re-init"

    def __init__(self, backend: str | None, *, collective_timeout: float, take_in_timeout: float) -> None:
        self._backend = backend
        self._collective_timeout = collective_timeout
        self._take_in_timeout = take_in_timeout
        self._store: Store | None = None
        self._of_group: RoundStore | None = None
        self._connections = GlooConnections(lambda: self._of_group.addresses if self._of_group else frozenset())
        self._taken: Taken | None = None
        self._has_nccl = "nccl" in (backend or "").lower()
        self._aborted = False
        if self._has_nccl:
            _prepare_nccl(take_in_timeout)
        self._place: WorkerPlace | None = None

    @property
    def moment(self) -> float:
        """See `Engine`. NCCL frees nobody by itself, and nothing is lost by aborting it early."""
        return _NCCL_MOMENT_SECONDS if "nccl" in (self._backend or "") else MOMENT_SECONDS

    def take_in(
        self, place: WorkerPlace, listening: socket.socket | None, *, progress: int, newcomer: bool, given_up: GivenUp
    ) -> Taken:
        """See `Engine`."""
        self._end_groups()
        self._aborted = False
        forget_meshes()
        store = open_round_store(place, listening, timeout=self._take_in_timeout, given_up=given_up)
        self._store = store
        entry = Entry(place.node_rank, place.local_rank, handle="", progress=progress, newcomer=newcomer)
        roster = exchange_rosters(store, place, entry, given_up)
        rank = roster.rank_of(place.node_rank, place.local_rank)
        set_environment(place, rank, roster.world_size)
        # torch does not keep a store in Python alive, and goes on to call it: for every sub-group.
        self._of_group = RoundStore()
        self._of_group.move_on(store, given_up, roster.world_size)
        # As destroying the group does; but one that was given up while it was made is not there to be destroyed.
        c10d._world.group_count = 0
        dist.init_process_group(
            self._backend,
            store=self._of_group,
            rank=rank,
            world_size=roster.world_size,
            timeout=seconds(self._take_in_timeout),
        )
        self._of_group.groups_are_made()
        _set_timeout(seconds(self._collective_timeout))
        self._place, self._taken = place, Taken(rank, roster)
        return self._taken

    def leave(self) -> None:
        """See `Engine`."""
        self._connections.end()
        self._abort()

    def free(self) -> None:
        """See `Engine`."""
        self._connections.end_reading()
        if self._of_group is not None:
            self._of_group.free_those_that_connect()
        self._abort()

    def waiting(self) -> frozenset[str]:
        """See `Engine`."""
        return threads_that_wait()

    def collectives_succeeded(self) -> bool:
        """See `Engine`. NCCL's kernels that wait for a lost peer end by our abort alone, which is noted before."""
        if self._has_nccl:
            torch.cuda.current_stream().synchronize()
        return not self._aborted

    def agree_done(self, given_up: GivenUp) -> bool:
        """See `Engine`."""
        assert self._taken is not None
        assert self._place is not None
        assert self._store is not None
        patient = cast(AbandonableStore, self._store).patient(NEWS_SECONDS)
        return agree_done(patient, self._taken.roster, self._place.serves_store, given_up)

    def is_failure_of_peer(self, error: BaseException) -> bool:
        """See `Engine`."""
        return is_broken_round(error)

    def close(self) -> None:
        """See `Engine`."""
        self._connections.end()
        self._end_groups()
        self._store = None

    def _abort(self) -> None:
        """NCCL: ends its kernels and fails what comes later. Gloo's connections are cut instead."""
        if not self._has_nccl:
            return
        self._aborted = True
        for group in list(c10d._world.pg_map):
            if "nccl" in str(c10d._world.pg_map[group][0]).lower():
                with contextlib.suppress(RuntimeError):
                    group._get_backend(torch.device("cuda")).abort()

    def _end_groups(self) -> None:
        if dist.is_initialized():
            self._abort()
            dist.destroy_process_group()


def _prepare_nccl(take_in_timeout: float) -> None:
    """Set what torch reads when it first uses NCCL, where the user has not set it."""
    for name, value in {
        # Else torch's watchdog ends the process when it sees that a communicator was aborted.
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
        # Else nothing ends the making of a communicator whose peer has died since the roster: torch cannot abort what
        # it has not yet got back from NCCL (pytorch#103925), and NCCL waits for ever.
        "TORCH_NCCL_USE_COMM_NONBLOCKING": "1",
        # torch holds the communicator's lock while it waits so: abort comes after this, whole seconds.
        "TORCH_NCCL_NONBLOCKING_TIMEOUT": str(max(1, round(take_in_timeout))),
    }.items():
        os.environ.setdefault(name, value)


# torch 2.15 warns of the private name, which is all that there was before.
_set_timeout = dist.set_timeout if hasattr(dist, "set_timeout") else c10d._set_pg_timeout
