"""Where a group's rounds come from, and how they are taken in, as a test says it."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from kube_rendezvous.api import RendezvousClosedError
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.survival.engine import Taken
from kube_rendezvous.survival.roster import Roster
from kube_rendezvous.survival.round_source import GivenRound
from unit.survival.builders import entry, place


class PeerError(RuntimeError):
    """What a framework raises when a peer is gone."""


class FakeSource:
    """Gives rounds 1, 2, 3, …; the test says when one is over."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.held = 0
        self.why: Interruption | None = None
        self.ended = ""
        self.took_in: list[int] = []
        self.stuck_in: list[int] = []
        self.last_round = 1000
        self.sockets: list[socket.socket] = []
        self.waits = 0
        self.was_told_done = False

    def next_round(self) -> GivenRound:
        with self.changed:
            if self.held == self.last_round:
                raise RendezvousClosedError("closed")
            self.held, self.why = self.held + 1, None
            self.sockets.append(socket.socket())
            return GivenRound(place(self.held), self.sockets[-1])

    def is_over(self, reason: str = "MemberLost") -> None:
        with self.changed:
            self.why = Interruption(self.held, reason, "node-1 is lost")
            self.changed.notify_all()

    def over(self) -> Interruption | None:
        return self.why

    def wait_until_over(self, seconds: float) -> Interruption | None:
        with self.changed:
            self.waits += 1
            self.changed.wait_for(lambda: self.why is not None or self.ended, seconds)
            return self.why

    def took(self, number: int) -> None:
        self.took_in.append(number)

    def stuck(self, number: int) -> None:
        self.stuck_in.append(number)

    def done(self) -> None:
        self.was_told_done = True

    def finish(self) -> None:
        assert self.was_told_done
        self._end("finished")

    def leave(self) -> None:
        self._end("left")

    def _end(self, how: str) -> None:
        with self.changed:
            self.ended = how
            self.changed.notify_all()


class FakeEngine:
    """Takes every round in, unless the test says what happens in `on_take_in`."""

    name = "fake"
    moment = 0.05

    def __init__(self) -> None:
        self.did: list[str] = []
        self.peers_progress = 0
        self.freed = threading.Event()
        self.waits: Callable[[], frozenset[str]] = frozenset
        self.on_take_in: Callable[[int, Callable[[], bool]], None] = lambda number, given_up: None
        self.on_agree: Callable[[Callable[[], bool]], bool] = lambda given_up: True

    def take_in(
        self, place: Any, listening: Any, *, progress: int, newcomer: bool, given_up: Callable[[], bool]
    ) -> Taken:
        self.did.append(f"take {place.number}")
        self.on_take_in(place.number, given_up)
        return Taken(0, Roster.of([entry(0, progress=progress, new=newcomer), entry(1, progress=self.peers_progress)]))

    def leave(self) -> None:
        self.did.append("leave")

    def free(self) -> None:
        self.did.append("free")
        self.freed.set()

    def waiting(self) -> frozenset[str]:
        return self.waits()

    def collectives_succeeded(self) -> bool:
        return not self.freed.is_set()

    def agree_done(self, given_up: Callable[[], bool]) -> bool:
        return self.on_agree(given_up)

    def is_failure_of_peer(self, error: BaseException) -> bool:
        return isinstance(error, PeerError)

    def close(self) -> None:
        self.did.append("close")


class Progress:
    """The steps that the trainer has done."""

    def __init__(self) -> None:
        self.steps = 0
