"""Where a worker's rounds come from: its own membership, or the launcher of its node."""

import socket
from dataclasses import dataclass
from typing import Protocol

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.survival.worker_place import WorkerPlace


@dataclass(frozen=True, slots=True)
class GivenRound:
    """A round that includes this worker.

    Args:
        place: of the worker in it.
        listening: the announced socket, for the worker that serves the round's store; its owner closes it.
    """

    place: WorkerPlace
    listening: socket.socket | None


class RoundSource(Protocol):
    """Gives rounds to one worker. All but the two that wait answer from memory."""

    def next_round(self) -> GivenRound:
        """Say that this worker runs nothing and holds no round; wait for one.

        Raises:
            kube_rendezvous.api.RendezvousError: there will be none.
        """

    def over(self) -> Interruption | None:
        """Why the round that was given last is over; None: it is not."""

    def wait_until_over(self, seconds: float) -> Interruption | None:
        """As `over`, but waits for it, `seconds` at the most, and no longer than until the source ends."""

    def took(self, number: int) -> None:
        """This worker works in this round."""

    def stuck(self, number: int) -> None:
        """A thread of this worker waits in this round, which is over, for what cannot come. From another thread."""

    def done(self) -> None:
        """The work is done, here and everywhere. `finish` follows, when this worker has ended what it holds."""

    def finish(self) -> None:
        """This worker ends, after `done`."""

    def leave(self) -> None:
        """This worker ends; the others go on without it."""
