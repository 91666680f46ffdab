"""JAX's coordination service as the workers of a node reach it: served by rank 0's node, shielded on every node."""

import logging

from kube_rendezvous.keeping.coordinator_process import CoordinatorError, CoordinatorProcess
from kube_rendezvous.keeping.forwarder import Forwarder
from kube_rendezvous.participation import Participation
from kube_rendezvous.standing_round import StandingRound

_log = logging.getLogger(__name__)

_SERVE_SECONDS = 30.0


class JaxService:
    """The node's part in serving JAX. Make it when a worker says that it uses JAX: standing by, it serves at once.

    Args:
        participation: whose announced socket it serves on, where this node has rank 0.
        workers: of each node.
    """

    def __init__(self, participation: Participation, workers: int) -> None:
        self._participation = participation
        self._workers = workers
        self._coordinator = CoordinatorProcess()
        self._entrances: list[Forwarder] = []
        self._shields: dict[tuple[str, int], Forwarder] = {}  # one that was created anew counts from 1 again

    def address(self, standing: StandingRound) -> str:
        """Where this node's workers reach the service of a round; begins to serve it, where this node has rank 0.

        Returns:
            ``HOST:PORT``; "" if it cannot be served: the log says why.
        """
        which = standing.rendezvous_uid, standing.number
        if which not in self._shields:
            try:
                if standing.rank == 0:
                    self._serve(standing)
            except CoordinatorError as error:
                _log.error("%s", error)
                self._renew()
                return ""
            # Nobody's connection is ended: a worker holds that of the round before until it has left it, and longer if
            # it holds arrays of it.
            for former in list(self._shields)[:-1]:
                if not self._shields[former].is_used:
                    self._shields.pop(former).close()
            self._shields[which] = Forwarder(standing.master_addr, standing.master_port, shield=True)
        return self._shields[which].address

    def close(self) -> None:
        """End everything."""
        for forwarder in (*self._shields.values(), *self._entrances):
            forwarder.close()
        self._coordinator.stop()

    def _serve(self, standing: StandingRound) -> None:
        port = self._coordinator.serve(standing.number, standing.world_size * self._workers, timeout=_SERVE_SECONDS)
        unused = [entrance for entrance in self._entrances if not entrance.is_used]
        self._entrances = [entrance for entrance in self._entrances if entrance.is_used]
        for entrance in unused:
            entrance.close()
        listening = self._participation.take_socket()
        self._entrances.append(Forwarder("127.0.0.1", port, listening=listening, shield=False))

    def _renew(self) -> None:
        self._coordinator.stop()
        self._coordinator = CoordinatorProcess()
