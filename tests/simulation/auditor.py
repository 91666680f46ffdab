"""The invariants of the protocol, checked at every decision, every deletion and every status write."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kube_rendezvous.resources import LateJoiners, Member, Rendezvous
from kube_rendezvous_core import Decision
from kube_rendezvous_core.formation.formation import REJOIN_SECONDS, WorldSizes
from simulation.simulated_cluster import Cluster
from simulation.simulated_node import Node, Phase

LOSSES = {"MemberLeft", "MemberSuperseded", "HeartbeatLost", "MemberDeleted"}


@dataclass(slots=True)
class Auditor:
    """Knows the truth, and compares it with what the operators decide and do.

    Args:
        alive: the nodes that live.
        happened: counts what was audited, to show that the runs were not too easy.
        time: grows with every step.
        requests: when each member asked to close.
        reopened_at: the time of the decision that opened the Rendezvous again, and ``reopened_by`` the operator.
        decided_at: when each decision was made, by its identity.
    """

    cluster: Cluster
    alive: Callable[[], Sequence[Node]]
    happened: Counter[str]
    time: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    reopened_at: int = -1
    reopened_by: int = -1
    decided_at: dict[int, int] = field(default_factory=dict)

    def note_requests(self) -> None:
        """Remember who asks to close; time goes on."""
        self.time += 1
        for member in self.cluster.members.values():
            if member.close_requested:
                self.requests.setdefault(member.name, self.time)

    def decided(self, decided_on: Rendezvous, decision: Decision) -> None:
        """A decision is about to be carried out."""
        self.decided_at[id(decision)] = self.time
        before, after = decided_on.status.closed, decision.status.closed
        if after is not None and after.reopens_on_join and not (before is not None and before.reopens_on_join):
            present = [n.name for n in self.alive() if n.member is not None and n.uid == decided_on.uid]
            assert not present, f"taken for empty, but {present} are there"

    def expelled(self, decided_on: Rendezvous, member: Member, reason: str) -> None:
        """Only who is gone loses its object, and who did not arrive although last call has ended."""
        self.happened[f"expelled for {reason}"] += 1
        if member.rendezvous_uid != self.cluster.rendezvous.uid:
            return
        ranks = decided_on.status.ranks
        if member.close_requested and (member.name in ranks or not ranks):  # beside a round nobody closes it
            assert self.cluster.rendezvous.status.closed is not None, f"the request of {member.name} is not on record"
        if not any(node.name == member.name for node in self.alive()):
            return
        assert reason == "NotArrived", f"{member.name} lives and was expelled for {reason}"
        status, full = decided_on.status, WorldSizes.of(decided_on.spec).full
        arrived = sum(
            1 for m in self.cluster.members.values() if m.after_round >= status.round and m.name in status.ranks
        )
        assert member.after_round < status.round
        deadline = status.forming.deadline if status.forming is not None else None
        called = deadline is not None and deadline <= self.cluster.now
        assert called or arrived >= full, f"{member.name} has first claim on a place until last call ends"

    def written(self, which: int, decided_on: Rendezvous, decision: Decision) -> None:
        """The operator of that number has written this status."""
        self._audit_round(decided_on, decision)
        self._audit_telling(decided_on, decision)
        self._audit_deadline(decided_on, decision)
        self._audit_closing(which, decided_on, decision)

    def _audit_round(self, decided_on: Rendezvous, decision: Decision) -> None:
        before, after = decided_on.status, decision.status
        if after.round == before.round:
            return
        self.happened["RoundFormed"] += 1
        for rank, name in enumerate(before.ranks[: after.world_size]):
            assert name not in after.ranks or after.ranks[rank] == name, f"{name} survived and lost rank {rank}"
        for node in self.alive():
            works = node.phase in (Phase.RUNNING, Phase.STOPPING)
            if works and node.name in after.ranks:
                raise AssertionError(f"{node.name} has a rank in round {after.round} but did not wait for it")
            if works and node.uid == decided_on.uid and node.name in before.ranks:
                assert node.member is None, f"round {after.round} is without {node.name}, whose object is still there"

    def _audit_telling(self, decided_on: Rendezvous, decision: Decision) -> None:
        """Nobody is told to restart without a reason in the status, and the reason is true."""
        before, forming = decided_on.status, decision.status.forming
        if forming is None or not forming.interrupts or (before.forming is not None and before.forming.interrupts):
            return
        self.happened[forming.reason] += 1
        assert forming.reason
        assert forming.message
        living = {node.name: node for node in self.alive() if node.member is not None}
        if forming.reason in LOSSES:
            assert any(name not in living for name in before.ranks), f"{forming.message}: but all are there"
        elif forming.reason == "MemberRestarted":
            assert any(name not in living or living[name].phase is not Phase.RUNNING for name in before.ranks)
        elif forming.reason == "SpecChanged":
            assert before.world_size > WorldSizes.of(decided_on.spec).full
        elif forming.reason == "Growth":
            full = WorldSizes.of(decided_on.spec).full
            deadline = before.forming.deadline if before.forming is not None else None
            assert before.world_size < full
            called = deadline is not None and deadline <= self.cluster.now
            assert called or before.world_size + forming.arrived >= full, "growth stopped training in order to wait"
            assert decided_on.spec.late_joiners is LateJoiners.RESTART
        else:
            assert forming.reason == "Reopened"
            assert not any(name in living for name in before.ranks), "it was not empty"

    def _audit_deadline(self, decided_on: Rendezvous, decision: Decision) -> None:
        """Nobody extends a last call, except to the time that old members have to stop and to join again."""
        before, after = decided_on.status.forming, decision.status.forming
        if before is None or after is None or before.deadline is None or after.deadline is None:
            return
        if (before.round, before.reason, before.interrupts) == (after.round, after.reason, after.interrupts):
            time_to_stop = after.since + timedelta(seconds=REJOIN_SECONDS)
            assert after.deadline <= before.deadline or after.deadline == time_to_stop

    def _audit_closing(self, which: int, decided_on: Rendezvous, decision: Decision) -> None:
        before, after = decided_on.status.closed, decision.status.closed
        if after is None:
            if before is not None and before.reason == "ClosedByMember":
                assert before.reopens_on_join
                self.reopened_at, self.reopened_by = self.decided_at[id(decision)], which
        elif after.reason == "ClosedBySpec":
            assert decided_on.spec.closed
        elif before is None or before.reason != after.reason:
            self.happened[after.reason] += 1
            # Only the other operator may still remember a farewell that is older than a reopening.
            asked = self.requests[after.by]
            assert which != self.reopened_by or asked > self.reopened_at, f"{after.by} asked before it was opened again"
