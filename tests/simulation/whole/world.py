"""A small API server with a clock: resource versions, preconditions, outages, and watch streams that lag and are cut.

Everything happens in one queue of events in simulated time; with one seed it happens in one order.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from kube_rendezvous.resources import Member, Rendezvous, RendezvousSpec, RendezvousStatus
from kube_rendezvous.resources.names import CLIENT_MANAGER
from kube_rendezvous.resources.timestamps import format_time
from simulation.whole.planted_faults import Fault

START = datetime(2026, 3, 1, tzinfo=UTC)
MOST_LAG_SECONDS = 1.5


class ConflictError(Exception):
    """409: not the version, or not the object, that the request was made for."""


class NotFoundError(Exception):
    """404."""


class UnavailableError(Exception):
    """The API server is away."""


class Listener(Protocol):
    """What a watch tells; as the client library's `WatchListener`."""

    def relisted(self, objects: list[Any]) -> None: ...
    def changed(self, obj: Any) -> None: ...
    def removed(self, obj: Any) -> None: ...
    def troubled(self) -> None: ...
    def connected(self) -> None: ...


class World:
    """The API server and the time.

    Args:
        seed: of everything that is random.
        faults: what is broken on purpose.
        trace: is told each thing that happens, one line each.
    """

    def __init__(self, seed: int, faults: frozenset[Fault], trace: Callable[[str], None] | None = None) -> None:
        self.rng = random.Random(seed)
        self.faults = faults
        self.seconds = 0.0
        self.away = False
        self.calm = False
        self.rendezvous: Rendezvous | None = None
        self.members: dict[str, Member] = {}
        self.gone: dict[str, tuple[float, Member]] = {}
        self.watches: list[Watch] = []
        self._trace = trace
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._version = 0

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def say(self, text: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.seconds:8.3f} {text}")

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen later."""
        self.at(self.seconds + seconds, action)

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen at that time; what has the same time happens in the order of the calls."""
        self._number += 1
        heapq.heappush(self._queue, (seconds, self._number, action))

    def run(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until then, or until it is enough."""
        while self._queue and self._queue[0][0] <= until and not enough():
            self.seconds, _, action = heapq.heappop(self._queue)
            action()

    # Requests

    def _serve(self) -> str:
        if self.away:
            raise UnavailableError
        self._version += 1
        return str(self._version)

    def read_rendezvous(self) -> Rendezvous:
        self._serve()
        if self.rendezvous is None:
            raise NotFoundError
        return self.rendezvous

    def list_members(self) -> list[Member]:
        self._serve()
        return list(self.members.values())

    def create_rendezvous(self, spec: RendezvousSpec) -> None:
        version = self._serve()
        if self.rendezvous is not None:
            raise ConflictError
        made = Rendezvous("sim", "run", f"uid-{version}", version, 1, spec, managed_by=CLIENT_MANAGER)
        self.rendezvous = made
        self.say(f"Rendezvous {made.uid} is created")
        self._tell("rendezvous", made, removed=False)

    def edit_spec(self, **fields: Any) -> None:
        known = self.read_rendezvous()
        spec = replace(known.spec, **fields)
        self.rendezvous = replace(known, spec=spec, generation=known.generation + 1, resource_version=self._serve())
        self.say(f"spec is edited: {fields}")
        self._tell("rendezvous", self.rendezvous, removed=False)

    def delete_rendezvous(self) -> None:
        known = self.read_rendezvous()
        self.rendezvous = None
        self.say(f"Rendezvous {known.uid} is deleted")
        self._tell("rendezvous", replace(known, resource_version=self._serve()), removed=True)

    def write_status(self, decided_on: Rendezvous, status: RendezvousStatus) -> Rendezvous:
        """Replace the status; refused unless the version is the one that it was decided on."""
        version, known = self._serve(), self.rendezvous
        if known is None or known.uid != decided_on.uid:
            raise NotFoundError
        if known.resource_version != decided_on.resource_version and Fault.NO_FENCE not in self.faults:
            raise ConflictError
        self.rendezvous = replace(known, status=status, resource_version=version)
        self._tell("rendezvous", self.rendezvous, removed=False)
        return self.rendezvous

    def create_member(self, name: str, rendezvous_uid: str, **fields: Any) -> None:
        version = self._serve()
        created, beat = self.now.replace(microsecond=0), format_time(self.now)
        self.members[name] = Member(
            "sim",
            name,
            f"uid-of-{name}",
            version,
            created,
            "run",
            rendezvous_uid,
            f"{name}.sim",
            renew_time=beat,
            **fields,
        )
        self._tell("members", self.members[name], removed=False)

    def patch_member(self, name: str, **fields: Any) -> None:
        version = self._serve()
        if name not in self.members:
            raise NotFoundError
        beat = format_time(self.now)
        self.members[name] = replace(self.members[name], resource_version=version, renew_time=beat, **fields)
        self._tell("members", self.members[name], removed=False)

    def delete_member(self, name: str, uid: str | None = None, version: str | None = None) -> None:
        """Delete it; refused if it has another UID or version than the ones named."""
        self._serve()
        member = self.members.get(name)
        if member is None:
            raise NotFoundError
        if uid not in (None, member.uid) or version not in (None, member.resource_version):
            raise ConflictError
        del self.members[name]
        self.gone[name] = (self.seconds, member)
        self._tell("members", replace(member, resource_version=self._serve()), removed=True)

    def _tell(self, kind: str, obj: Any, *, removed: bool) -> None:
        for watch in self.watches:
            if watch.kind == kind:
                watch.push(obj, removed=removed)

    # Outages

    def go_away(self, seconds: float) -> None:
        """Serve nobody for so long."""
        if self.away:
            return
        self.away = True
        self.say(f"the API server is away for {seconds:.0f} s")
        for watch in self.watches:
            watch.cut(seconds)
        self.after(seconds, self._come_back)

    def _come_back(self) -> None:
        self.away = False
        self.say("the API server is back")


class Watch:
    """One watch stream: events come in order, each late by a random time, some twice; after a cut there is a list."""

    def __init__(self, world: World, kind: str, listener: Listener) -> None:
        self.world, self.kind, self._listener = world, kind, listener
        self._epoch = 0
        self._open = False
        self._last = 0.0
        world.watches.append(self)
        world.after(world.rng.uniform(0.01, 0.2), self._begin(0))

    def stop(self) -> None:
        """Hear nothing any more."""
        self._epoch += 1
        self._open = False
        if self in self.world.watches:
            self.world.watches.remove(self)

    def cut(self, seconds: float) -> None:
        """Lose what is under way and hear nothing for so long."""
        self._epoch += 1
        self._open = False
        self._listener.troubled()
        self.world.after(seconds + 0.01, self._begin(self._epoch))

    def push(self, obj: Any, *, removed: bool) -> None:
        """Something has changed."""
        if not self._open:
            return
        tell = self._listener.removed if removed else self._listener.changed
        self._send(lambda: tell(obj))
        if self.world.rng.random() < 0.03:
            self._send(lambda: tell(obj))

    def _send(self, tell: Callable[[], None]) -> None:
        rng, epoch = self.world.rng, self._epoch
        lag = rng.uniform(0.2, MOST_LAG_SECONDS) if rng.random() < 0.1 else rng.uniform(0.001, 0.05)
        self._last = max(self._last, self.world.seconds + lag)
        self.world.at(self._last, lambda: tell() if epoch == self._epoch else None)

    def _begin(self, epoch: int) -> Callable[[], None]:
        def begin() -> None:
            if epoch != self._epoch:
                return
            if self.world.away:
                self.world.after(0.5, begin)
                return
            world = self.world
            there: list[Any] = list(world.members.values())
            if self.kind == "rendezvous":
                there = [world.rendezvous] if world.rendezvous is not None else []
            self._open, self._last = True, world.seconds

            def tell() -> None:
                self._listener.relisted(there)
                self._listener.connected()

            self._send(tell)

        return begin
