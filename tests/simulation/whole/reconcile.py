"""One reconcile: the real `decide`, and step for step what `shell/reconciler` does.

It is a generator: at each `yield` anything else may happen, a crash included.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous_core import Decision, Expulsion, decide, only_progress
from kube_rendezvous_core.liveness.heartbeat import HeartbeatBudget
from kube_rendezvous_core.liveness.liveness import LEFT, OTHER_RENDEZVOUS
from kube_rendezvous_core.policy.progress import PROGRESS_EVERY_SECONDS
from simulation.whole.invariants import Invariants
from simulation.whole.members_seen import MembersSeen
from simulation.whole.planted_faults import Fault, blind, blind_around, spoil
from simulation.whole.policy_invariants import Decided, PolicyInvariants
from simulation.whole.surroundings_seen import SurroundingsSeen
from simulation.whole.world import ConflictError, NotFoundError, UnavailableError, World


class OvertakenError(Exception):
    """Look again at once."""


class Reconciling:
    """What an operator process knows, and what it does with it."""

    def __init__(
        self,
        world: World,
        invariants: Invariants,
        policies: PolicyInvariants,
        label: str,
        members: MembersSeen,
        surroundings: SurroundingsSeen,
    ) -> None:
        self._world, self._invariants, self._policies, self.label = world, invariants, policies, label
        self.members, self.surroundings = members, surroundings
        self.known: Rendezvous | None = None
        self.decided = Decided(world.now)
        self._looked_once = False
        self._interval_seen = (-1, 0.0)
        self._gone: set[str] = set()
        self._written = -PROGRESS_EVERY_SECONDS

    def reconcile(self) -> Any:
        """One reconcile, a step at a time; returns seconds until the next, or None."""
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
            known, (decision, gone) = yield from self._confirm()
        for expulsion in decision.expel_first:
            yield
            self._expel(expulsion, known)
            self.members.expelled(expulsion)
        gone = (*gone, *(one.member.name for one in decision.expel_first))
        yield
        wake_after = self._write(known, decision, gone)
        for expulsion in decision.expel_after:
            yield
            self._expel(expulsion, known)
            self.members.forget([expulsion.member.name])
        for expulsion in decision.expel_beside:
            yield
            self._sweep(expulsion, known)
        return wake_after

    def _decide(self, known: Rendezvous) -> tuple[Decision, tuple[str, ...]]:
        observed = self.members.observed()
        faults, surroundings = self._world.faults, self.surroundings.now()
        self.decided = Decided(
            self._world.now,
            self.surroundings.pod_watch.current_until,
            self.surroundings.node_watch.current_until,
            self.surroundings.pods_told_of,
            surroundings.nodes is not None,
            self.members.listed_at,
        )
        shown = blind(faults, known, at_start=not self._looked_once)
        self._looked_once = True
        decision = decide(shown, observed, self._world.now, self._budget(known), blind_around(faults, surroundings))
        if self._world.faults:
            by_name = {o.member.name: o.member for o in observed}
            decision = replace(decision, status=spoil(self._world.faults, known.status, decision.status, by_name))
        return decision, tuple(o.member.name for o in observed if o.deleted)

    def _budget(self, known: Rendezvous) -> HeartbeatBudget:
        """As `shell/heartbeat_budgets`; the neighbours leave what the world says."""
        published = known.status.heartbeat_seconds
        if self._interval_seen[0] != published:
            self._interval_seen = (published, self._world.seconds)
        held_for = self._world.seconds - self._interval_seen[1]
        if Fault.INTERVAL_SHRINKS_AT_ONCE in self._world.faults:
            held_for = math.inf
        return HeartbeatBudget(self._world.heartbeats_left, held_for)

    def _read_members(self) -> None:
        try:
            self.members.refresh(self._world.list_members())
        except UnavailableError:
            self.members.hear_everybody()
            raise

    def _confirm(self) -> Any:
        self._refresh()
        if self.known is None:
            raise OvertakenError
        yield
        self._read_members()
        known = self.known
        if known is None:
            raise OvertakenError
        return known, self._decide(known)

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
        self._invariants.status_written(there, after, self.decided.members_listed_at)
        self._policies.status_written(there, after, self.decided)
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
                self._policies.expelled(expulsion)
        except ConflictError as conflict:
            raise OvertakenError from conflict
        except NotFoundError:
            pass

    def _sweep(self, expulsion: Expulsion, decided_on: Rendezvous) -> None:
        """What the sweeper does beside: nobody waits for it, and nobody is held up when it fails."""
        if expulsion.reason == OTHER_RENDEZVOUS and Fault.DELETE_WITHOUT_PRECONDITION not in self._world.faults:
            try:
                if self._world.read_rendezvous().uid == expulsion.member.rendezvous_uid:
                    return
            except NotFoundError:
                pass
        try:
            self._expel(expulsion, decided_on)
            self.members.forget([expulsion.member.name])
        except OvertakenError:
            self.wake(1.0)

    def _clean_up(self) -> Iterator[None]:
        for observed in self.members.observed():
            if observed.deleted:
                self.members.forget([observed.member.name])
                continue
            yield
            self._expel(Expulsion(observed.member, "RendezvousGone", doubtful=False), _NOTHING)
            self.members.forget([observed.member.name])

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

    def wake(self, seconds: float | None = None) -> None:
        """Look at it soon."""
        raise NotImplementedError

    def troubled(self) -> None:
        """Goes on with what it knows."""

    def connected(self) -> None:
        """Nothing to do: the list came first."""


_NOTHING = Rendezvous("sim", "run", "", "0", 0, spec=None)  # type: ignore[arg-type]
