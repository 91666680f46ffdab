"""An operator as the real shell behaves: caches that lag, a decision, deletions, one fenced write, crashes anywhere.

What it does is cut into steps, so that everything else may happen between any two of them.
"""

from collections import deque
from dataclasses import dataclass, field

from kube_rendezvous.resources import Member, Rendezvous
from kube_rendezvous_core import Decision, Expulsion, ObservedMember, decide
from kube_rendezvous_core.liveness.liveness import LEFT, OTHER_RENDEZVOUS
from simulation.auditor import Auditor
from simulation.simulated_cluster import Cluster, RefusedError


@dataclass(slots=True)
class _Entry:
    member: Member
    heard: float
    deleted: bool = False


@dataclass(slots=True)
class Operator:
    """One of perhaps two.

    Args:
        number: 0 or 1.
        auditor: is shown every decision, deletion and write.
        plan: what is still to be done of the last decision.
        farewells: members that were already gone when the plan was made: once it is done, they are forgotten.
    """

    cluster: Cluster
    number: int
    auditor: Auditor
    cache: dict[str, _Entry] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    rendezvous_seen: int = 0
    members_seen: int = 0
    plan: deque[Expulsion | Decision] = field(default_factory=deque)
    decided_on: Rendezvous | None = None
    farewells: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Crash and start: nothing is remembered, silence counts from now."""
        self.plan.clear()
        self.cache.clear()
        self.buried.clear()
        self.rendezvous_seen = len(self.cluster.rendezvous_log)
        self.members_seen = len(self.cluster.member_log)
        for member in self.cluster.members.values():
            self._take(member)

    # The caches

    def watch_rendezvous(self, versions: int) -> None:
        self.rendezvous_seen = min(self.rendezvous_seen + versions, len(self.cluster.rendezvous_log))

    def watch_members(self, versions: int) -> None:
        """Receive the next events."""
        for _ in range(min(versions, len(self.cluster.member_log) - self.members_seen)):
            before = self.cluster.member_log[self.members_seen - 1]
            after = self.cluster.member_log[self.members_seen]
            self.members_seen += 1
            for name, member in after.items():
                if before.get(name) is not member:
                    self._take(member)
            for name in before.keys() - after.keys():
                self._take(before[name])
                self._mark_deleted(name)

    def relist(self) -> None:
        """The watch was cut: only what is there now is seen, and last words are lost."""
        self.members_seen = len(self.cluster.member_log)
        for member in self.cluster.members.values():
            self._take(member)
        for name in list(self.cache):
            if name not in self.cluster.members:
                self._mark_deleted(name)

    def forgive(self, seconds: float) -> None:
        """The API server was away for so long: only the time of a healthy watch counts as silence."""
        for entry in self.cache.values():
            entry.heard += seconds

    def _take(self, member: Member) -> None:
        entry = self.cache.get(member.name)
        if entry is None:
            if member.name not in self.buried:
                self.cache[member.name] = _Entry(member, self.cluster.seconds)
        elif int(member.resource_version) > int(entry.member.resource_version):
            if member.renew_time != entry.member.renew_time:
                entry.heard = self.cluster.seconds
            entry.member = member

    def _mark_deleted(self, name: str) -> None:
        if name in self.cache:
            self.cache[name].deleted = True

    def _observed(self) -> list[ObservedMember]:
        now = self.cluster.seconds
        return [
            ObservedMember(entry.member, now - entry.heard, entry.deleted)
            for name, entry in self.cache.items()
            if name not in self.buried
        ]

    # One reconcile

    def think(self) -> None:
        """Decide on the caches and, if that is doubtful, again on consistent reads. The rest is the plan."""
        self.plan.clear()
        rendezvous = self.cluster.rendezvous_log[self.rendezvous_seen - 1]
        decision = decide(rendezvous, self._observed(), self.cluster.now)
        if decision.doubtful:
            self.watch_rendezvous(len(self.cluster.rendezvous_log))
            self.relist()
            rendezvous = self.cluster.rendezvous
            decision = decide(rendezvous, self._observed(), self.cluster.now)
        self.auditor.decided(rendezvous, decision)
        self.decided_on = rendezvous
        self.farewells = tuple(name for name, entry in self.cache.items() if entry.deleted)
        self.plan.extend((*decision.expel_first, decision, *decision.expel_after, *self._still_to_go(decision)))

    def _still_to_go(self, decision: Decision) -> list[Expulsion]:
        """Of those that go beside, strangers only if the Rendezvous as it is now is not theirs."""
        theirs = self.cluster.rendezvous.uid
        return [e for e in decision.expel_beside if e.reason != OTHER_RENDEZVOUS or e.member.rendezvous_uid != theirs]

    def act(self) -> None:
        """Carry out the next step of the plan; if it is refused, forget the plan and look again."""
        step = self.plan.popleft()
        try:
            if isinstance(step, Expulsion):
                self._expel(step)
            else:
                self._write(step)
        except RefusedError:
            self.plan.clear()

    def reconcile(self) -> None:
        """All of it, with nothing in between."""
        self.think()
        while self.plan:
            self.act()

    def catch_up(self) -> None:
        """Receive every event there is."""
        self.watch_rendezvous(len(self.cluster.rendezvous_log))
        self.watch_members(len(self.cluster.member_log))

    def _expel(self, expulsion: Expulsion) -> None:
        member = expulsion.member
        assert self.decided_on is not None
        version = None if expulsion.reason == LEFT else member.resource_version
        if self.cluster.delete_member(member.name, version) is not None:
            self.auditor.expelled(self.decided_on, member, expulsion.reason)
        self.buried.add(member.name)

    def _write(self, decision: Decision) -> None:
        assert self.decided_on is not None
        if decision.status != self.decided_on.status:
            try:
                self.cluster.write_status(self.decided_on, decision.status)
            except RefusedError:
                self.watch_rendezvous(len(self.cluster.rendezvous_log))
                raise
            self.rendezvous_seen = len(self.cluster.rendezvous_log)
            self.auditor.written(self.number, self.decided_on, decision)
        self.buried.update(self.farewells)
