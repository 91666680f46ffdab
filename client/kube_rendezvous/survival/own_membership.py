"""Rounds from a membership of the worker's own: one worker a node, and no launcher."""

import logging

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.participation import Participation
from kube_rendezvous.survival.round_source import GivenRound
from kube_rendezvous.survival.worker_place import WorkerPlace

_log = logging.getLogger(__name__)


class OwnMembership:
    """See `RoundSource`.

    Args:
        participation: in the rendezvous.
    """

    def __init__(self, participation: Participation) -> None:
        self._participation = participation

    def next_round(self) -> GivenRound:
        """See `RoundSource`."""
        standing = self._participation.next_round()
        return GivenRound(WorkerPlace.of(standing, 0, 1), self._participation.take_socket())

    def over(self) -> Interruption | None:
        """See `RoundSource`."""
        return self._participation.interruption()

    def wait_until_over(self, seconds: float) -> Interruption | None:
        """See `RoundSource`."""
        return self._participation.wait_for_interruption(seconds)

    def took(self, number: int) -> None:
        """See `RoundSource`; nobody waits to hear it."""

    def stuck(self, number: int) -> None:
        """See `RoundSource`. Nobody is there who would start this process again."""
        _log.warning(
            "a thread waits in round %d, which is over, for a transfer that gloo will not end before "
            "collective_timeout. `kube-rendezvous run --keep-survivors` would start this process again",
            number,
        )

    def done(self) -> None:
        """See `RoundSource`; nobody waits to hear it."""

    def finish(self) -> None:
        """See `RoundSource`."""
        self._participation.finish()

    def leave(self) -> None:
        """See `RoundSource`."""
        self._participation.leave()
