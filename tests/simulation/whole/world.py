"""A small API server with a clock: resource versions, preconditions and outages.

Everything happens in one queue of events in simulated time; with one seed it happens in one order.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kube_rendezvous.resources import Member, Rendezvous, RendezvousSpec, RendezvousStatus
from kube_rendezvous.resources.names import CLIENT_MANAGER
from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND
from simulation.whole.planted_faults import Fault

if TYPE_CHECKING:
    from simulation.whole.watch import Watch

START = datetime(2026, 3, 1, tzinfo=UTC)


class ConflictError(Exception):
    """409: not the version, or not the object, that the request was made for."""


class NotFoundError(Exception):
    """404."""


class UnavailableError(Exception):
    """The API server is away."""


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
        self.heartbeats_left = float(MAX_HEARTBEATS_PER_SECOND)
        self.rendezvous: Rendezvous | None = None
        self.members: dict[str, Member] = {}
        self.gone: dict[str, tuple[float, Member]] = {}
        self.objects: dict[str, dict[str, dict[str, Any]]] = {"pods": {}, "nodes": {}}
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

    def put(self, kind: str, key: str, obj: dict[str, Any]) -> None:
        """The control plane itself creates or changes a pod or a node."""
        self.objects[kind][key] = self._stamped(obj)
        self._tell(kind, self.objects[kind][key], removed=False)

    def drop(self, kind: str, key: str) -> None:
        """The control plane itself removes a pod or a node."""
        self._tell(kind, self._stamped(self.objects[kind].pop(key)), removed=True)

    def _stamped(self, obj: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}

    def trust(self, place: str) -> None:
        """A person says that a place is mended."""
        known = self.read_rendezvous()
        trusted = known.trusted_places | {place}
        self.rendezvous = replace(known, trusted_places=trusted, resource_version=self._serve())
        self.say(f"{place} is trusted again")
        self._tell("rendezvous", self.rendezvous, removed=False)

    def listed(self, kind: str) -> list[Any]:
        """What a list of such objects holds now."""
        if kind in self.objects:
            return list(self.objects[kind].values())
        if kind == "members":
            return list(self.members.values())
        return [self.rendezvous] if self.rendezvous is not None else []

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
