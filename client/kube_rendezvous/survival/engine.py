"""How a process takes a round in: one engine for each way that a framework offers."""

import socket
from dataclasses import dataclass
from typing import Protocol

from kube_rendezvous.survival.roster import Roster
from kube_rendezvous.survival.roster_exchange import GivenUp
from kube_rendezvous.survival.worker_place import WorkerPlace


@dataclass(frozen=True, slots=True)
class Taken:
    """A round that has been taken in.

    Args:
        rank: of this worker among all workers of the round.
        roster: all of them.
    """

    rank: int
    roster: Roster


class Engine(Protocol):
    """Called by the trainer's own thread, but for `free` and `waiting`."""

    @property
    def name(self) -> str:
        """How it is called in logs and options."""

    @property
    def moment(self) -> float:
        """Seconds that the trainer gets to come out of a broken round by itself, before `free` is called.

        It gets more where nobody is gone.
        """

    def take_in(
        self, place: WorkerPlace, listening: socket.socket | None, *, progress: int, newcomer: bool, given_up: GivenUp
    ) -> Taken:
        """Take a round in: afterwards collectives run among its workers.

        Args:
            place: of this worker.
            listening: the announced socket, for the worker that serves the round's store; the engine's from now on.
            progress, newcomer: see `Entry`.
            given_up: the round is over; ask it while waiting.

        Raises:
            RoundOverError: `given_up` became true first.
            Exception: what the framework raises when peers cannot be reached; see `is_failure_of_peer`.
        """

    def leave(self) -> None:
        """Nothing of this worker runs in its round any more: let peers that wait for it know at once."""

    def free(self) -> None:
        """End the collectives in which this worker's threads wait, with an error. From another thread, at any time."""

    def waiting(self) -> frozenset[str]:
        """The waits for peers in which this worker's threads are, as far as they are seen; each wait has its own text.

        One that lasts after `free` lasts until the collective timeout.
        """

    def collectives_succeeded(self) -> bool:
        """Whether all collectives that this thread has begun in the round have come to their ends in it.

        Waits for those that go on beside the thread, as NCCL's do.
        """

    def agree_done(self, given_up: GivenUp) -> bool:
        """See `roster_exchange.agree_done`."""

    def is_failure_of_peer(self, error: BaseException) -> bool:
        """Whether an error says that the round is broken, and not that the trainer is."""

    def close(self) -> None:
        """End everything that `take_in` made."""
