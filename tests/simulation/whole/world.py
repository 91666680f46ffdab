"""The time, and what is true: an API server, and who hears of what happens to its objects.

Everything happens in one queue of events in simulated time; with one seed it happens in one order.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from kube_rendezvous.resources import (
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    SLICE_PLURAL,
    Member,
    Rendezvous,
)
from kube_rendezvous.resources.names import (
    TRUST_ANNOTATION,
    collection_path,
    object_path,
)
from kube_rendezvous.resources.rendezvous_json import spec_to_json
from kube_rendezvous.resources.rendezvous_slice import (
    RendezvousSlice,
    assembled,
    digests_in,
    missing_slices,
    parse_slice,
)
from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND
from kube_rendezvous_core.slicing import SliceSizes
from simulation.whole.api_server import NAMESPACE, ApiServer, Backup, Event, RefusalError
from simulation.whole.planted_faults import Fault
from simulation.whole.shared_readings import SharedReadings
from simulation.whole.simulated_runtime import Process

if TYPE_CHECKING:
    from simulation.whole.wire import Wire

START = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "run"


class ConflictError(Exception):
    """409: not the version, or not the object, that the request was made for."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


class NotFoundError(Exception):
    """404."""


class UnavailableError(Exception):
    """The API server is away."""


class World:
    """The time and the truth.

    Args:
        seed: of everything that is random.
        faults: what is broken on purpose.
        trace: is told each thing that happens, one line each.
        sliced: how probable it is that rounds lie in slices, of one to some three names each.
    """

    def __init__(
        self, seed: int, faults: frozenset[Fault], trace: Callable[[str], None] | None = None, sliced: float = 0.5
    ) -> None:
        self.rng = random.Random(seed)
        self.faults = faults
        self.seconds = 0.0
        self.away = False
        self.calm = False
        self.heartbeats_left = float(MAX_HEARTBEATS_PER_SECOND)
        self.lossy = self.rng.choice([0.0, 0.0, 0.01])
        self.clocks_differ = self.rng.random() < 0.3
        self.two_lead = False
        self.neighbours_watch = False
        self.member_written: Callable[[Member | None, Member], None] = lambda *_: None
        self._clock_errors: dict[str, timedelta] = {}
        self.broken: Exception | None = None
        self.readings = SharedReadings()
        self._taken: dict[str, RendezvousSlice] = {}
        of_slices = random.Random(f"slices of {seed}")
        self.slice_sizes = SliceSizes()
        if of_slices.random() < sliced:
            self.slice_sizes = SliceSizes(above=of_slices.randint(0, 3), names=of_slices.randint(1, 3))
            self.slice_sizes = replace(self.slice_sizes, keyed=of_slices.choice([0, 0, 3, 1000]))
        self.server = ApiServer(lambda: self.now, lambda: self.seconds, self._changed)
        self.objects = self.server.objects
        self.rendezvous: Rendezvous | None = None
        self.before: Rendezvous | None = None
        """The version of it before the newest."""
        self.members: dict[str, Member] = {}
        self.gone: dict[str, tuple[float, Member]] = {}
        self.joined_at: dict[str, float] = {}
        self.asked_to_close_at: dict[str, float] = {}
        self.quiet_from = 0.0
        """From then on nobody has anything to hear of but heartbeats (seconds)."""
        self.wires: list[Wire] = []
        self.processes: list[Process] = []
        self._trace = trace
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def machine_of_operator(self, number: int) -> str:
        """Each process may be on another one; two that lead at once would quarrel for ever about what is over."""
        return "of the operators" if self.two_lead else f"of operator {number}"

    def clock_error(self, machine: str) -> timedelta:
        """How much the wall clock of a machine is ahead."""
        if not self.clocks_differ:
            return timedelta(0)
        if machine not in self._clock_errors:
            self._clock_errors[machine] = timedelta(seconds=self.rng.choice(_CLOCK_ERRORS))
        return self._clock_errors[machine]

    def say(self, text: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.seconds:8.3f} {text}")

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen later."""
        self._number += 1
        heapq.heappush(self._queue, (self.seconds + seconds, self._number, action))

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen at that time; what has the same time happens in the order of the calls."""
        self._number += 1
        heapq.heappush(self._queue, (seconds, self._number, action))

    def run(self, until: float, enough: Callable[[], bool] | None = None) -> None:
        """Let time pass until then, or until it is enough."""
        queue, pop = self._queue, heapq.heappop
        while queue and queue[0][0] <= until and (enough is None or not enough()):
            self.seconds, _, action = pop(queue)
            action()
            if self.broken is not None:
                raise self.broken

    def breaks(self, error: Exception) -> None:
        """An invariant does not hold; what stands in between here and `run` would swallow an exception."""
        self.broken = self.broken or error

    def trouble(self) -> float:
        """Which part of all requests fails."""
        return 0.0 if self.calm else self.lossy

    # Requests that take no time: of what is not shipped code

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        if self.away:
            raise UnavailableError
        try:
            return self.server.request(method, path, {}, body)
        except RefusalError as refusal:
            raise NotFoundError if refusal.status == 404 else ConflictError from refusal

    def edit_spec(self, **fields: Any) -> None:
        known = self._known()
        self._request("PATCH", _RENDEZVOUS, {"spec": spec_to_json(replace(known.spec, **fields))})
        self.say(f"spec is edited: {fields}")

    def delete_rendezvous(self) -> None:
        self._request("DELETE", _RENDEZVOUS)

    def trust(self, place: str) -> None:
        """A person says that a place is mended."""
        trusted = ",".join(sorted(self._known().trusted_places | {place}))
        self._request("PATCH", _RENDEZVOUS, {"metadata": {"annotations": {TRUST_ANNOTATION: trusted}}})
        self.say(f"{place} is trusted again")

    def _known(self) -> Rendezvous:
        if self.away:
            raise UnavailableError
        if self.rendezvous is None:
            raise NotFoundError
        return self.rendezvous

    def delete_member(self, name: str) -> None:
        self._request("DELETE", object_path(MEMBER_PLURAL, NAMESPACE, name))

    def put(self, kind: str, key: str, obj: dict[str, Any]) -> None:
        """The control plane itself creates or changes a pod or a node."""
        self.server.put(kind, key, obj)

    def drop(self, kind: str, key: str) -> None:
        """The control plane itself removes a pod or a node."""
        self.server.drop(kind, key)

    def _changed(self, plural: str, event: Event) -> None:
        removed = event.type == "DELETED"
        if plural in ("pods", "nodes") or (event.type != "MODIFIED" and plural != SLICE_PLURAL):
            self.stirs()
        if plural == MEMBER_PLURAL:
            member = self.readings.parse_member(event.object)
            if removed:
                del self.members[member.name]
                self.gone[member.name] = (self.seconds, member)
            else:
                self._note(self.members.get(member.name), member)
                self.members[member.name] = member
        elif plural == RENDEZVOUS_PLURAL:
            rendezvous = self._with_names(self.readings.parse_rendezvous(event.object))
            if event.type != "MODIFIED":
                self.say(f"Rendezvous {rendezvous.uid} is {'deleted' if removed else 'created'}")
            if self.rendezvous is not None and self.rendezvous.generation != rendezvous.generation:
                self.stirs()
            self.before, self.rendezvous = self.rendezvous, None if removed else rendezvous
        elif plural == SLICE_PLURAL and removed:
            digest = parse_slice(event.object).digest
            if digest not in self._taken:
                self._is_superseded(digest)
        for wire in self.wires:
            for stream in wire.streams:
                if stream.plural == plural:
                    stream.push(event)

    def _note(self, before: Member | None, after: Member) -> None:
        self.member_written(before, after)
        if before is None:
            self.joined_at[after.name] = self.seconds
        elif _WORDS(before) != _WORDS(after):
            self.stirs()
        if after.close_requested:
            self.asked_to_close_at.setdefault(after.name, self.seconds)

    def stirs(self, seconds: float = 0.0) -> None:
        """Something has happened, or goes on for so long, that makes others do something."""
        self.quiet_from = max(self.quiet_from, self.seconds + seconds)

    def _with_names(self, rendezvous: Rendezvous) -> Rendezvous:
        """With what its slices say, all of which must be there."""
        status = rendezvous.status
        if not status.is_unread:
            return rendezvous
        slices = [*map(self.readings.parse_slice, self.objects[SLICE_PLURAL].values()), *self._taken.values()]
        if missing := missing_slices(status, slices):
            self.breaks(BrokenError(f"round {status.round} can be seen, but not its slices {sorted(missing)}"))
        return replace(rendezvous, status=assembled(status, slices))

    def take_slice(self) -> bool:
        """Somebody deletes one of those that the newest status points at; false: there is none."""
        if self.away:
            raise UnavailableError
        known = self.rendezvous
        there = {parse_slice(obj).digest: name for name, obj in self.objects[SLICE_PLURAL].items()}
        pointed = sorted(digests_in(known.status) & there.keys()) if known is not None else []
        if not pointed:
            return False
        digest = self.rng.choice(pointed)
        self.say(f"slice {digest} is deleted by hand")
        self._taken[digest] = parse_slice(self.objects[SLICE_PLURAL][there[digest]])
        self.drop(SLICE_PLURAL, there[digest])
        self.stirs()
        return True

    def _is_superseded(self, digest: str) -> None:
        """A slice is removed: nobody may be told to read it, nor a moment ago."""
        for version in (self.rendezvous, self.before):
            if version is not None and digest in digests_in(version.status):
                self.breaks(BrokenError(f"slice {digest} of round {version.status.round} is removed"))

    def restore(self, backup: Backup) -> None:
        """The storage is set back, and the API server starts anew."""
        self.server.restore(backup)
        self.readings.versions_begin_lower()
        members = map(self.readings.parse_member, self.objects[MEMBER_PLURAL].values())
        self.members = {member.name: member for member in members}
        there = self.objects[RENDEZVOUS_PLURAL].get(NAME)
        self.rendezvous = None if there is None else self._with_names(self.readings.parse_rendezvous(there))
        for wire in self.wires:
            wire.cut_all()
        self.stirs()

    # Outages

    def go_away(self, seconds: float) -> None:
        """Serve nobody for so long."""
        if self.away:
            return
        self.away = True
        self.say(f"the API server is away for {seconds:.0f} s")
        for wire in self.wires:
            wire.cut_all()
        self.stirs(seconds)
        self.after(seconds, self._come_back)

    def _come_back(self) -> None:
        self.away = False
        self.say("the API server is back")


_CLOCK_ERRORS = (0.0, 0.0, -90.0, -20.0, -2.0, 2.0, 20.0, 90.0)
_WORDS = attrgetter("after_round", "leaving", "close_requested", "suspects", "preparing")
"""What a Member says beside that it lives."""
_ALL_RENDEZVOUS = collection_path(RENDEZVOUS_PLURAL, NAMESPACE)
_RENDEZVOUS = object_path(RENDEZVOUS_PLURAL, NAMESPACE, NAME)
_ALL_MEMBERS = collection_path(MEMBER_PLURAL, NAMESPACE)
