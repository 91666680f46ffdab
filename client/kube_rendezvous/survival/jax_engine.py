"""The engine for JAX: each round another coordination service, another client, another backend, in the same process.

Arrays do not outlive a round: the trainer copies what it needs (`before_leaving`, `jax_state.to_host`) between the end
of its step and the next round. All nodes must have the same number of workers, because JAX must know how many processes
there are before they can tell each other anything.
"""

import contextlib
import math
import socket
import time
from collections.abc import Callable

from kube_rendezvous.survival import jax_runtime
from kube_rendezvous.survival.engine import Taken
from kube_rendezvous.survival.errors import EngineError, RoundOverError
from kube_rendezvous.survival.gloo_connections import MOMENT_SECONDS
from kube_rendezvous.survival.roster import Entry, Roster
from kube_rendezvous.survival.roster_exchange import GivenUp
from kube_rendezvous.survival.torchrun_environment import set_environment
from kube_rendezvous.survival.worker_place import WorkerPlace

_BROKEN = ("gloo", "connection closed", "connection reset", "socket closed", "unavailable", "deadline_exceeded")
_LOOK_SECONDS = 0.5
_NEWS_SECONDS, _FAREWELL_SECONDS = 5.0, 60.0  # as in `roster_exchange`
_PAUSE_SECONDS = 0.02
_VERDICT, _YES, _NO = "all-done", "yes", "no"


class JaxEngine:
    """See `Engine`.

    Args:
        take_in_timeout: seconds until all processes of a round must be there.

    Raises:
        EngineError: JAX is not installed, or in a version that was not tried.
    """

    name = "jax"
    moment = MOMENT_SECONDS

    def __init__(self, *, take_in_timeout: float) -> None:
        try:
            jax_runtime.require_known_jax()
        except jax_runtime.UnknownJaxError as error:
            raise EngineError(str(error)) from None
        self._take_in_timeout = take_in_timeout
        self._taken: Taken | None = None

    def take_in(
        self, place: WorkerPlace, listening: socket.socket | None, *, progress: int, newcomer: bool, given_up: GivenUp
    ) -> Taken:
        """See `Engine`."""
        if not place.coordinator:
            raise EngineError(
                "the launcher serves no coordination service of JAX: its log says why (is jaxlib installed for it?)"
            )
        jax_runtime.leave()
        world_size = place.node_count * place.local_world_size
        rank = place.node_rank * place.local_world_size + place.local_rank
        set_environment(place, rank, world_size)
        entry = Entry(place.node_rank, place.local_rank, handle="", progress=progress, newcomer=newcomer)
        try:
            # A peer that is busy is waited for: its launcher knows whether it hangs.
            jax_runtime.enter(
                place.coordinator,
                world_size,
                rank,
                timeout=self._take_in_timeout,
                arrival_timeout=math.inf,
                given_up=given_up,
            )
            roster = self._exchange(rank, world_size, entry, given_up)
        except jax_runtime.RoundLostError as error:
            if given_up():
                raise RoundOverError(f"round {place.number} is over before it was taken in: {error}") from None
            raise
        self._taken = Taken(rank, roster)
        return self._taken

    def leave(self) -> None:
        """See `Engine`. The backend lives on until the next round is taken in: what the trainer needs can be copied."""
        jax_runtime.break_off()

    def free(self) -> None:
        """See `Engine`."""
        jax_runtime.interrupt()

    def waiting(self) -> frozenset[str]:
        """See `Engine`. Threads of XLA are not told apart."""
        return frozenset()

    def collectives_succeeded(self) -> bool:
        """See `Engine`. Those that fail raise by themselves."""
        return True

    def agree_done(self, given_up: GivenUp) -> bool:
        """See `Engine`, and `roster_exchange.agree_done`: the first word that is published holds."""
        assert self._taken is not None
        rank, world_size = self._taken.rank, self._taken.roster.world_size
        jax_runtime.publish(f"done/{rank}", "")
        try:
            if rank == 0:
                for each in range(world_size):
                    _await_said(f"done/{each}", given_up)
                _say_first(_VERDICT, _YES)
            _await_said(_VERDICT, given_up)
        except (jax_runtime.RoundLostError, RoundOverError):
            if not given_up():
                raise
            _say_first(_VERDICT, _NO)
        if jax_runtime.lookup(_VERDICT, timeout=_NEWS_SECONDS) != _YES:
            deadline = time.monotonic() + _NEWS_SECONDS
            while not given_up() and time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
            return False
        # The service ends with rank 0's node: the others must have seen the answer first, or be gone (which raises).
        deadline = time.monotonic() + _FAREWELL_SECONDS
        with contextlib.suppress(jax_runtime.RoundLostError, RoundOverError):
            jax_runtime.publish(f"seen/{rank}", "")
            for each in range(world_size if rank == 0 else 0):
                _await_said(f"seen/{each}", lambda: time.monotonic() > deadline)
        return True

    def is_failure_of_peer(self, error: BaseException) -> bool:
        """See `Engine`."""
        if isinstance(error, jax_runtime.RoundLostError):
            return True
        return isinstance(error, RuntimeError | ValueError) and any(sign in str(error).lower() for sign in _BROKEN)

    def close(self) -> None:
        """See `Engine`."""
        jax_runtime.leave()

    def _exchange(self, rank: int, world_size: int, entry: Entry, given_up: Callable[[], bool]) -> Roster:
        jax_runtime.publish(f"worker/{rank}", entry.to_bytes().decode())
        if rank == 0:
            said = [_await_said(f"worker/{each}", given_up) for each in range(world_size)]
            jax_runtime.publish(
                "roster", Roster.of([Entry.from_bytes(one.encode()) for one in said]).to_bytes().decode()
            )
        return Roster.from_bytes(_await_said("roster", given_up).encode())


def _await_said(key: str, given_up: GivenUp) -> str:
    while not given_up():
        try:
            return jax_runtime.lookup(key, timeout=_LOOK_SECONDS)
        except TimeoutError:
            continue
    raise RoundOverError(f"the round is over before {key!r} was there")


def _say_first(key: str, value: str) -> None:
    with contextlib.suppress(ValueError):  # somebody has said it before
        jax_runtime.publish(key, value)
