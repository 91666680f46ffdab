"""An operator process: the real `decide`, and step for step what `shell/reconciler` and `shell/member_cache` do.

A reconcile is a generator: at each `yield` anything else may happen, a crash included.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from kube_rendezvous.resources import Member, Rendezvous, RendezvousStatus
from kube_rendezvous_operator.core import Decision, Expulsion, ObservedMember, decide, only_progress
from kube_rendezvous_operator.core.liveness import LEFT
from kube_rendezvous_operator.core.progress import PROGRESS_EVERY_SECONDS
from simulation.whole.invariants import Invariants
from simulation.whole.planted_faults import Fault, spoil
from simulation.whole.world import ConflictError, NotFoundError, UnavailableError, Watch, World


class OvertakenError(Exception):
    """Look again at once."""


@dataclass(slots=True)
class _Entry:
    member: Member
    heard: float
    proven: float | None = None
    deleted: bool = False
    buried: bool = False

    def hear(self, now: float) -> None:
        self.heard, self.proven = now, None


class MembersSeen:
    """Mirrors `MemberCache`."""

    def __init__(self, world: World, wake: Any) -> None:
        self._world, self._wake = world, wake
        self.entries: dict[str, _Entry] = {}
        self.synced = False
        self.listed_at = 0.0
        self._cut_since: float | None = None
        self._counts_always = Fault.SILENCE_COUNTED_WHILE_CUT in world.faults

    def observed(self) -> list[ObservedMember]:
        now = self._world.seconds if self._cut_since is None else self._cut_since
        return [
            ObservedMember(e.member, max(0.0, now - e.heard), e.deleted, self._proven(e, now))
            for e in self.entries.values()
            if not e.buried
        ]

    def _proven(self, entry: _Entry, now: float) -> float | None:
        if self._counts_always:
            return None
        return 0.0 if entry.proven is None else max(0.001, now - entry.proven)

    def refresh(self, members: Iterable[Member]) -> None:
        there = {member.name for member in members if self._take(member)}
        for name, entry in self.entries.items():
            if name not in there:
                entry.deleted = True
        self.listed_at = self._world.seconds

    def prove(self, names: Iterable[str], since: float) -> None:
        for name in names:
            entry = self.entries.get(name)
            if entry is not None and entry.proven is None and entry.heard < since:
                entry.proven = since

    def hear_everybody(self) -> None:
        if not self._counts_always:
            for entry in self.entries.values():
                entry.hear(self._world.seconds)

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            entry = self.entries.get(name)
            if entry is not None:
                entry.buried = True
                if entry.deleted:
                    del self.entries[name]

    def relisted(self, objects: list[Any]) -> None:
        there = {member.name for member in objects if self._take(member)}
        # The list may be as old as its answer was late.
        self.listed_at = max(self.listed_at, self._world.seconds - 2.0)
        if Fault.CACHE_KEPT_OVER_RELIST not in self._world.faults:
            for name in [name for name in self.entries if name not in there]:
                self._mark_deleted(name)
        self.synced = True
        self._wake()

    def changed(self, obj: Any) -> None:
        known = self.entries.get(obj.name)
        old = known.member if known is not None else None
        self._take(obj)
        if old is None or replace(old, renew_time=obj.renew_time, resource_version=obj.resource_version) != obj:
            self._wake()

    def removed(self, obj: Any) -> None:
        if obj.name in self.entries:
            self._take(obj)
            self._mark_deleted(obj.name)
            self._wake()

    def troubled(self) -> None:
        if self._cut_since is None and not self._counts_always:
            self._cut_since = self._world.seconds

    def connected(self) -> None:
        if self._cut_since is not None:
            self.hear_everybody()
            self._cut_since = None

    def _take(self, member: Member) -> bool:
        known = self.entries.get(member.name)
        if known is None:
            self.entries[member.name] = _Entry(member, self._world.seconds)
        elif int(member.resource_version) > int(known.member.resource_version):
            if member.renew_time != known.member.renew_time:
                known.hear(self._world.seconds)
            known.member = member
        return True

    def _mark_deleted(self, name: str) -> None:
        self.entries[name].deleted = True
        if self.entries[name].buried:
            del self.entries[name]


class Operator:
    """One process. `crash` and a new object are a restart."""

    def __init__(self, world: World, invariants: Invariants, label: str) -> None:
        self._world, self._invariants, self.label = world, invariants, label
        self._crashed = self._looked_once = False
        self.known: Rendezvous | None = None
        self._gone: set[str] = set()
        self._written = -PROGRESS_EVERY_SECONDS
        self._running: Iterator[None] | None = None
        self._again = False
        self._wake_at: float | None = None
        self.members = MembersSeen(world, self.wake)
        self._watches = (Watch(world, "members", self.members), Watch(world, "rendezvous", self))

    def crash(self) -> None:
        """SIGKILL between any two steps."""
        self._crashed = True
        for watch in self._watches:
            watch.stop()
        self._world.say(f"{self.label} crashes")

    def cut_a_watch(self, which: int, seconds: float) -> None:
        self._world.say(f"{self.label} loses its watch of {self._watches[which].kind} for {seconds:.0f} s")
        self._watches[which].cut(seconds)

    # When it reconciles

    def wake(self, seconds: float | None = None) -> None:
        if self._running is not None:
            self._again = True
            return
        pause = self._world.rng.uniform(0.002, 0.1) if seconds is None else max(0.002, seconds)
        at = self._world.seconds + pause
        if self._wake_at is None or at < self._wake_at:
            self._wake_at = at
            self._world.after(pause, lambda: self._begin(at))

    def _begin(self, at: float) -> None:
        if self._wake_at != at:
            return  # an earlier wake has come instead
        self._wake_at, self._again = None, False
        if not self._crashed and self.members.synced and self._running is None:
            self._running = self._reconcile()
            self._step()

    def _step(self) -> None:
        if self._crashed or self._running is None:
            return
        pause: float | None = None
        try:
            next(self._running)
            rng = self._world.rng
            self._world.after(rng.uniform(0.3, 2.0) if rng.random() < 0.05 else rng.uniform(0.001, 0.02), self._step)
            return
        except StopIteration as end:
            pause = end.value
        except OvertakenError:
            self._again = True
        except UnavailableError:
            pause = 1.0
        self._running = None
        if self._again:
            self.wake()
        elif pause is not None:
            self.wake(pause)

    # One reconcile

    def _reconcile(self) -> Any:
        if self.known is None:
            if self.members.observed():
                self._refresh()
                yield
            if self.known is None:
                yield from self._clean_up()
                return None
        known, (decision, gone) = self.known, self._decide(self.known)
        if decision.suspects:
            began = self._world.seconds
            yield
            self._read_members()
            self.members.prove(decision.suspects, began)
            decision, gone = self._decide(known)
        if decision.doubtful and Fault.NO_SECOND_LOOK not in self._world.faults:
            yield
            known, (decision, gone) = yield from self._confirm(decision)
        for expulsion in decision.expel_first:
            yield
            self._expel(expulsion, known)
        yield
        wake_after = self._write(known, decision, gone)
        for expulsion in decision.expel_after:
            yield
            self._expel(expulsion, known)
        return wake_after

    def _decide(self, known: Rendezvous) -> tuple[Decision, tuple[str, ...]]:
        observed = self.members.observed()
        shown, forming = known, known.status.forming
        if Fault.DEADLINE_RESET_AT_RESTART in self._world.faults and not self._looked_once and forming is not None:
            shown = replace(known, status=replace(known.status, forming=replace(forming, deadline=None)))
        self._looked_once = True
        decision = decide(shown, observed, self._world.now, len(self.members.entries))
        if self._world.faults:
            by_name = {o.member.name: o.member for o in observed}
            decision = replace(decision, status=spoil(self._world.faults, known.status, decision.status, by_name))
        return decision, tuple(o.member.name for o in observed if o.deleted)

    def _read_members(self) -> None:
        try:
            self.members.refresh(self._world.list_members())
        except UnavailableError:
            self.members.hear_everybody()
            raise

    def _confirm(self, first: Decision) -> Any:
        self._refresh()
        if self.known is None:
            raise OvertakenError
        yield
        self._read_members()
        known = self.known
        if known is None:
            raise OvertakenError
        decision, gone = self._decide(known)
        doubted = {e.member.uid for e in (*first.expel_first, *first.expel_after)}
        again = (*decision.expel_first, *decision.expel_after)
        if any(e.doubtful and e.member.uid not in doubted for e in again):
            raise OvertakenError
        return known, (decision, gone)

    def _write(self, known: Rendezvous, decision: Decision, gone: tuple[str, ...]) -> float | None:
        before, after = known.status, decision.status
        if after == before:
            self.members.forget(gone)
            return decision.wake_after
        rest = self._written + PROGRESS_EVERY_SECONDS - self._world.seconds
        if rest > 0 and only_progress(before, after):
            return rest if decision.wake_after is None else min(rest, decision.wake_after)
        there = self._world.rendezvous
        try:
            written = self._world.write_status(known, after)
        except ConflictError as conflict:
            self._invariants.count("409")
            self._refresh()
            raise OvertakenError from conflict
        except NotFoundError as missing:
            self.known = None
            raise OvertakenError from missing
        assert there is not None
        self._say(there.status, after)
        self._invariants.status_written(there, after, self.members.listed_at)
        self._put(written)
        self._written = self._world.seconds
        self.members.forget(gone)
        if after.heartbeat_seconds < before.heartbeat_seconds:
            self.members.hear_everybody()
        return decision.wake_after

    def _say(self, before: RendezvousStatus, after: RendezvousStatus) -> None:
        forming = after.forming
        if after.round != before.round:
            text = f"round {after.round}: {', '.join(after.ranks)}"
        elif forming is not None:
            told = "all are told, " if forming.interrupts else ""
            text = f"forms round {forming.round} ({forming.reason}): {told}{forming.arrived} wait, {forming.deadline}"
        else:
            text = f"closed: {after.closed.reason}" if after.closed is not None else "status"
        self._world.say(f"{self.label} writes {text}")

    def _expel(self, expulsion: Expulsion, decided_on: Rendezvous) -> None:
        member = expulsion.member
        uid: str | None = member.uid
        version = None if expulsion.reason == LEFT else member.resource_version
        if Fault.DELETE_WITHOUT_PRECONDITION in self._world.faults:
            uid = version = None
        truth = self._world.members.get(member.name)
        try:
            self._world.delete_member(member.name, uid, version)
            self._world.say(f"{self.label} deletes {member.name}: {expulsion.reason}")
            if truth is not None:
                self._invariants.expelled(expulsion, decided_on, truth.after_round)
        except ConflictError as conflict:
            raise OvertakenError from conflict
        except NotFoundError:
            pass
        self.members.forget([member.name])

    def _clean_up(self) -> Iterator[None]:
        for observed in self.members.observed():
            if observed.deleted:
                self.members.forget([observed.member.name])
                continue
            yield
            self._expel(Expulsion(observed.member, "RendezvousGone", doubtful=False), _NOTHING)

    def _refresh(self) -> None:
        try:
            self._put(self._world.read_rendezvous())
        except NotFoundError:
            self.known = None

    def _put(self, rendezvous: Rendezvous) -> None:
        if rendezvous.uid in self._gone:
            return
        old = self.known
        if old is None or old.uid != rendezvous.uid or int(rendezvous.resource_version) > int(old.resource_version):
            self.known = rendezvous

    # The watch of the Rendezvous

    def relisted(self, objects: list[Any]) -> None:
        if not objects:
            self.known = None
        for obj in objects:
            self._put(obj)
        self.wake()

    def changed(self, obj: Any) -> None:
        self._put(obj)
        self.wake()

    def removed(self, obj: Any) -> None:
        self._gone.add(obj.uid)
        if self.known is not None and self.known.uid == obj.uid:
            self.known = None
        self.wake()

    def troubled(self) -> None:
        """Goes on with what it knows."""

    def connected(self) -> None:
        """Nothing to do: the list came first."""


_NOTHING = Rendezvous("sim", "run", "", "0", 0, spec=None)  # type: ignore[arg-type]
