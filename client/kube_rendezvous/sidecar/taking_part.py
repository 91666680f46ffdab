"""The sidecar's loop: join, say so, watch, say so, join again. The trainer's words come by the board."""

import logging
import threading
from collections.abc import Callable

from kube_rendezvous.api import (
    RendezvousClosedError,
    RendezvousError,
    RendezvousGracefulExitError,
    RendezvousTimeoutError,
)
from kube_rendezvous.exit_statuses import INTERNAL, exit_status_of
from kube_rendezvous.participation import Participation
from kube_rendezvous.sidecar.board import Board

_log = logging.getLogger(__name__)


class TakingPart:
    """Takes part in a thread of its own.

    Args:
        participation: in the rendezvous.
        board: where it says how that goes.
        stopped_round: what the trainer has written into its file.
        forget_stopped_round: removes that.
        wait_for_trainer: join again only when the trainer has stopped.
        on_failure: called with the exit status when to go on makes no sense: the kubelet starts the sidecar again.
    """

    def __init__(
        self,
        participation: Participation,
        board: Board,
        stopped_round: Callable[[], int],
        forget_stopped_round: Callable[[], None],
        *,
        wait_for_trainer: bool,
        on_failure: Callable[[int], None],
    ) -> None:
        self._participation = participation
        self._board = board
        self._stopped_round = stopped_round
        self._forget_stopped_round = forget_stopped_round
        self._wait_for_trainer = wait_for_trainer
        self._on_failure = on_failure
        self._ending = threading.Lock()
        self._ended = False

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="rendezvous", daemon=True).start()

    def leave(self, *, close: bool, reason: str, message: str) -> bool:
        """Leave the rendezvous, and `close` it for all. From any thread; safe to call twice.

        Returns:
            Whether the API server was told.
        """
        with self._ending:
            if self._ended:
                return True
            self._ended = True
            # First the trainer, then the others: who is told to stop must not find a new round without it.
            try:
                self._board.publish(lambda newest: newest.left(reason, message))
            except OSError as error:
                _log.error("cannot tell the trainer that we leave: %s", error)
            return self._participation.finish() if close else self._participation.leave()

    def _run(self) -> None:
        try:
            while self._one_round():
                pass
        except RendezvousClosedError as error:
            why = str(error)
            self._say_unless_ended(lambda: self._board.publish(lambda newest: newest.closed(why)))
        except RendezvousGracefulExitError as error:
            self.leave(close=False, reason="NotNeeded", message=str(error))
        except RendezvousError as error:
            _log.error("%s", error)
            self._on_failure(exit_status_of(error))
        except Exception:
            _log.exception("the rendezvous failed in a way that nobody has thought of")
            self._on_failure(INTERNAL)

    def _one_round(self) -> bool:
        """Whether to go on."""
        try:
            standing = self._participation.next_round()
        except RendezvousTimeoutError as error:
            _log.warning("%s; trying again", error)
            text = str(error)
            return self._say_unless_ended(lambda: self._board.publish(lambda newest: newest.waiting("TimedOut", text)))
        self._board.forget_if_stopped(standing.number, self._stopped_round, self._forget_stopped_round)
        # As late as can be: until here nobody else can have taken the port that rank 0's trainer is to bind.
        self._participation.release_port()
        if not self._say_unless_ended(lambda: self._board.publish(lambda newest: newest.formed(standing))):
            return False
        _log.info("round %d: rank %d of %d", standing.number, standing.rank, standing.world_size)
        told = self._participation.wait_for_interruption()
        if told is None:
            return False
        _log.info("round %d is over (%s): %s", told.round, told.reason, told.message)
        if not self._say_unless_ended(lambda: self._board.publish(lambda newest: newest.forming(told))):
            return False
        return not self._wait_for_trainer or self._board.wait_for_trainer(standing.number, self._stopped_round)

    def _say_unless_ended(self, say: Callable[[], None]) -> bool:
        # Nothing may be said after "left": the trainer would take it for a new beginning.
        with self._ending:
            if not self._ended:
                say()
            return not self._ended
