"""What an operator knows of the Members: step for step what `shell/member_cache` does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kube_rendezvous.resources import Member
from kube_rendezvous_core import Expulsion, ObservedMember
from simulation.whole.planted_faults import Fault
from simulation.whole.world import World


@dataclass(slots=True)
class _Entry:
    member: Member
    added: float
    heard: float
    proven: float | None = None
    deleted: bool = False
    expelled_for: str = ""
    expelled_why: str = ""
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
        self.list_began: Callable[[], float] = lambda: 0.0
        self._cut_since: float | None = None
        self._counts_always = Fault.SILENCE_COUNTED_WHILE_CUT in world.faults

    def observed(self) -> list[ObservedMember]:
        now = self._world.seconds if self._cut_since is None else self._cut_since
        return [
            ObservedMember(
                e.member,
                max(0.0, now - e.heard),
                e.deleted,
                self._proven(e, now),
                expelled_for=e.expelled_for,
                expelled_why=e.expelled_why,
            )
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

    def expelled(self, expulsion: Expulsion) -> None:
        entry = self.entries.get(expulsion.member.name)
        if entry is not None:
            entry.deleted = True
            entry.expelled_for, entry.expelled_why = expulsion.reason, expulsion.why

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
            for name in [n for n, e in self.entries.items() if n not in there and e.added <= self.list_began()]:
                self._mark_deleted(name)
        self.synced = True
        self._wake()

    def changed(self, obj: Any) -> None:
        known = self.entries.get(obj.name)
        old = known.member if known is not None else None
        self._take(obj)
        if old is None or _what_counts(old) != _what_counts(obj):
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
            self.entries[member.name] = _Entry(member, self._world.seconds, self._world.seconds)
        elif int(member.resource_version) > int(known.member.resource_version):
            if member.renew_time != known.member.renew_time:
                known.hear(self._world.seconds)
            known.member = member
        return True

    def _mark_deleted(self, name: str) -> None:
        self.entries[name].deleted = True
        if self.entries[name].buried:
            del self.entries[name]


def _what_counts(member: Member) -> tuple[object, ...]:
    """All that can change in a Member besides its heartbeat."""
    return member.uid, member.after_round, member.leaving, member.close_requested
