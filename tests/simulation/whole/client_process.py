"""A client process: the real `standing`, `nodes_waiting` and `Standpoint` over a lagging watch, like the handler."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from kube_rendezvous.membership.standing import (
    ClosedForUs,
    MustCreate,
    MustJoin,
    MustRejoin,
    Place,
    SentHome,
    Standpoint,
    nodes_waiting,
    standing,
)
from kube_rendezvous.resources import Rendezvous, RendezvousSpec
from kube_rendezvous.resources.failure_policy import places_at
from simulation.whole.invariants import Invariants
from simulation.whole.planted_faults import Fault
from simulation.whole.pods_and_nodes import Home
from simulation.whole.watch import Watch
from simulation.whole.world import ConflictError, NotFoundError, UnavailableError, World


class Phase(Enum):
    """STOPPING: it was told, or its workers failed, and they still run."""

    WAITING = auto()
    RUNNING = auto()
    STOPPING = auto()
    GONE = auto()


class Client:
    """One process.

    Args:
        place: number of its place; the process that replaces it there has the same.
        home: pod, slot and node.
        process: distinguishes processes in one place.
        wish: the spec with which it creates a Rendezvous.
    """

    def __init__(
        self, world: World, invariants: Invariants, place: int, process: int, wish: RendezvousSpec, home: Home
    ) -> None:
        self._world, self._invariants, self._wish = world, invariants, wish
        self.place, self.home = place, home
        self.label = f"n{place}-{process}"
        self.phase = Phase.WAITING
        self.me = Standpoint(places=frozenset(places_at(home.node, home.slot)))
        self.seen: Rendezvous | None = None
        self.on_leave: Callable[[], None] = lambda: None
        self._incarnation = 0
        self._listed = False
        self._due = False
        self._beats = False
        self._watch = Watch(world, self)

    @property
    def alive(self) -> bool:
        return self.phase is not Phase.GONE

    # What happens to it

    def die(self) -> None:
        """SIGKILL."""
        self._world.say(f"{self.label} dies")
        self._end()

    def leave(self, *, close: bool = False) -> None:
        """End in good order; with close, also ask to close."""
        farewell: dict[str, Any] = {"leaving": True}
        if close:
            farewell |= {"closeRequested": True, "closeReason": "training succeeded"}
        try:
            if self.me.name:
                self._world.patch_member(self.me.name, **farewell)
        except (NotFoundError, UnavailableError):
            pass
        self._world.say(f"{self.label} leaves{' and closes' if close else ''}")
        self._end()
        self.on_leave()

    def fail(self) -> None:
        """Its workers fail; it joins again."""
        if self.phase is Phase.RUNNING:
            self._world.say(f"the workers of {self.label} fail")
            self._stop()

    def _end(self) -> None:
        self.phase = Phase.GONE
        self._watch.stop()

    # What it does

    def _soon(self, seconds: float | None = None) -> None:
        if not self._due and self.alive:
            self._due = True
            self._world.after(self._world.rng.uniform(0.005, 0.2) if seconds is None else seconds, self._look)

    def _look(self) -> None:
        self._due = False
        try:
            if self.phase is Phase.WAITING and self._listed:
                self._seek_a_place()
            elif self.phase is Phase.RUNNING:
                self._listen()
        except UnavailableError:
            self._soon(self._world.rng.uniform(0.5, 2.0))

    def _seek_a_place(self) -> None:
        where, world = standing(self.seen, self.me), self._world
        if isinstance(where, Place):
            self._invariants.took(self.label, self.me.name, where)
            self.me, self.phase = self.me.took(where), Phase.RUNNING
            world.say(f"{self.label} runs round {where.round} as rank {where.rank}")
        elif isinstance(where, ClosedForUs | SentHome):
            self._invariants.count("sent home" if isinstance(where, SentHome) else "refused: closed")
            self.leave()
        elif isinstance(where, MustJoin) and self.seen is not None:
            self._join(self.seen)
        elif isinstance(where, MustRejoin):
            try:
                world.patch_member(self.me.name, afterRound=where.after_round)
                world.say(f"{self.label} waits after round {where.after_round}")
                self.me = self.me.rejoined(where.after_round)
            except NotFoundError:
                self.me = replace(self.me, expelled=True)
        elif isinstance(where, MustCreate) and (where.by_client or not self.me.rendezvous_uid):
            try:
                world.create_rendezvous(self._wish)
            except ConflictError:
                return  # the watch will show the other one
        else:
            return
        self._soon()

    def _join(self, rendezvous: Rendezvous) -> None:
        self._incarnation += 1
        name = f"{self.label}-{self._incarnation}"
        home = self.home
        self._world.create_member(
            name,
            rendezvous.uid,
            port=1 + self.place,
            pod_uid=home.pod_uid,
            slot=home.slot,
            node_name=home.node,
            holds_place=bool(home.pod_uid),
        )
        self._world.say(f"{name} joins")
        if not self._beats:  # from the first join on, as the heartbeat's thread does
            self._beats = True
            self._world.after(self._pause(), self._beat)
        self.me = replace(self.me.joined(name, rendezvous), made_by_client=bool(rendezvous.managed_by))

    def _listen(self) -> None:
        if nodes_waiting(self.seen, self.me):
            self._invariants.told(self.label, self.seen, self.me)
            self._world.say(f"{self.label} is told to stop")
            self._stop()
        elif self.seen is not None and self.seen.status.closed is not None:
            self._world.after(self._world.rng.uniform(0.5, 5.0), lambda: self.leave() if self.alive else None)

    def _stop(self) -> None:
        self.phase = Phase.STOPPING
        rng = self._world.rng
        self._world.after(rng.uniform(20.0, 80.0) if rng.random() < 0.03 else rng.uniform(0.1, 4.0), self._stopped)

    def _stopped(self) -> None:
        if self.phase is Phase.STOPPING and Fault.CLIENT_NEVER_REJOINS not in self._world.faults:
            self.phase = Phase.WAITING
            self._soon()

    def _beat(self) -> None:
        if not self.alive:
            return
        pause = self._pause()
        try:
            if self.me.name and not self.me.expelled:
                self._world.patch_member(self.me.name)
        except NotFoundError:
            self.me = replace(self.me, expelled=True)
            self._soon()
        except UnavailableError:
            pause = self._world.rng.uniform(0.5, self._interval())
        self._world.after(pause, self._beat)

    def _interval(self) -> float:
        return 5.0 if self.seen is None else float(self.seen.status.heartbeat_seconds or 5)

    def _pause(self) -> float:
        return self._interval() * self._world.rng.uniform(0.8, 1.0)

    # The watch

    def relisted(self, objects: list[Any]) -> None:
        self._listed = True
        self.seen = objects[0] if objects else None
        self._soon()

    def changed(self, obj: Any) -> None:
        self.seen = obj
        self._soon()

    def removed(self, obj: Any) -> None:
        if self.seen is not None and self.seen.uid == obj.uid:
            self.seen = None
        self._soon()

    def troubled(self) -> None:
        """Goes on with what it knows."""

    def connected(self) -> None:
        """Nothing to do: the list came first."""
