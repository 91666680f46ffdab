"""Rounds from the launcher of this worker's node: `kube-rendezvous run --keep-survivors`."""

import contextlib
import socket
import threading

from kube_rendezvous.api import (
    RendezvousClosedError,
    RendezvousConnectionError,
    RendezvousError,
    RendezvousTimeoutError,
)
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.signal_proof import Changes
from kube_rendezvous.survival.launcher_wire import (
    Ask,
    Done,
    FromLauncher,
    FromWorker,
    Give,
    LostSocketError,
    NoMore,
    Over,
    Stuck,
    Took,
    receive_from_launcher,
    send_to_launcher,
)
from kube_rendezvous.survival.round_source import GivenRound


class LauncherLink:
    """See `RoundSource`.

    Args:
        end: the worker's end of the pair of sockets.
        engine: the name of how this worker takes rounds in; the launcher serves what that needs.
    """

    def __init__(self, end: socket.socket, engine: str) -> None:
        self._end = end
        self._engine = engine
        self._changed = Changes()
        self._given: GivenRound | None = None
        self._held = 0
        self._over: Interruption | None = None
        self._no_more: tuple[type[RendezvousError], str] | None = None
        self._left = False
        threading.Thread(target=self._listen, name="rendezvous-launcher", daemon=True).start()

    def next_round(self) -> GivenRound:
        """See `RoundSource`."""
        self._tell(Ask(self._held, self._engine))
        self._changed.wait_for(lambda: self._given is not None or self._no_more is not None, None)
        with self._changed.lock:
            if self._given is None:
                assert self._no_more is not None
                kind, message = self._no_more
                raise kind(message)
            given, self._given = self._given, None
            self._held = given.place.number
            return given

    def over(self) -> Interruption | None:
        """See `RoundSource`."""
        over = self._over
        return over if over is not None and over.round >= self._held > 0 else None

    def wait_until_over(self, seconds: float) -> Interruption | None:
        """See `RoundSource`."""
        self._changed.wait_for(lambda: self.over() is not None or self._left or self._no_more is not None, seconds)
        return self.over()

    def took(self, number: int) -> None:
        """See `RoundSource`."""
        self._tell(Took(number))

    def stuck(self, number: int) -> None:
        """See `RoundSource`: the launcher starts this process again."""
        with contextlib.suppress(RendezvousConnectionError):  # without a launcher it ends anyway
            self._tell(Stuck(number))

    def done(self) -> None:
        """See `RoundSource`: from now on the launcher waits for this process's end, and for nothing else."""
        with contextlib.suppress(RendezvousConnectionError):  # without a launcher nobody needs to know
            self._tell(Done(self._held))

    def finish(self) -> None:
        """See `RoundSource`."""
        self.leave()

    def leave(self) -> None:
        """See `RoundSource`: the launcher sees how this process ends."""
        with self._changed.lock:
            self._left = True
            self._changed.notify_all()

    def _tell(self, message: FromWorker) -> None:
        try:
            send_to_launcher(self._end, message)
        except OSError as error:
            raise RendezvousConnectionError(f"the launcher of this node is gone: {error}") from error

    def _listen(self) -> None:
        while True:
            message, why_gone = self._receive()
            with self._changed.lock:
                match message:
                    case Give(place, listening):
                        self._drop_given()
                        self._given = GivenRound(place, listening)
                    case Over(why):
                        if self._over is None or why.round > self._over.round:
                            self._over = why
                    case NoMore(text, closed):
                        self._no_more = (RendezvousClosedError if closed else RendezvousTimeoutError, text)
                    case None if self._no_more is None:
                        self._no_more = (RendezvousConnectionError, why_gone)
                self._changed.notify_all()
            if message is None:
                return

    def _receive(self) -> tuple[FromLauncher | None, str]:
        try:
            return receive_from_launcher(self._end), "the launcher of this node is gone"
        except LostSocketError as error:
            return None, str(error)
        except OSError as error:
            return None, f"the launcher of this node is gone: {error}"
        except (ValueError, KeyError, TypeError) as error:
            return None, f"the launcher of this node says what this version does not understand: {error}"

    def _drop_given(self) -> None:
        if self._given is not None and self._given.listening is not None:
            self._given.listening.close()
        self._given = None
