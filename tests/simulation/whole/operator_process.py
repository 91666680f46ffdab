"""An operator process: the shipped `Operator`, its threads, caches and writes, over a simulated wire.

Only kopf is not there: the watch of the Rendezvous is the client library's, and it tells the operator what kopf would.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import (
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    SLICE_PLURAL,
    Member,
    Rendezvous,
    RendezvousStatus,
)
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous.resources.rendezvous_slice import missing_ranks
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND
from kube_rendezvous_operator.shell import app
from kube_rendezvous_operator.shell.leading.leader_election import LeaderElection
from kube_rendezvous_operator.shell.monitoring.measurements import Unmeasured
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses
from kube_rendezvous_operator.shell.reconciling import reconciler, sweeper
from kube_rendezvous_operator.shell.reconciling.reconciler import Reconciler, Verdict
from kube_rendezvous_operator.shell.watching.member_cache import Key
from simulation.whole.api_server import NAMESPACE, RefusalError
from simulation.whole.decided import Decided
from simulation.whole.invariants import BrokenError, Invariants
from simulation.whole.policy_invariants import PolicyInvariants
from simulation.whole.protocol_invariants import ProtocolInvariants
from simulation.whole.simulated_modules import Replacement
from simulation.whole.simulated_runtime import Process, SimulatedEvent, current_owner
from simulation.whole.wire import Wire
from simulation.whole.world import NAME, World

_KEY = (NAMESPACE, NAME)
_WATCHED = (MEMBER_PLURAL, RENDEZVOUS_PLURAL, "pods", "nodes")
_WORKERS = 2
LEASE, LEASE_SECONDS = "operator", 15
_END_SECONDS = 0.5
"""So long a process that has lost its lease takes to end (`service`)."""
_NOTHING = Rendezvous(*_KEY, "", "0", 0, spec=cast(Any, None))


class Operator:
    """One process. `crash` and a new object are a restart.

    Args:
        label: for people, and in the Lease.
        lost: told that it has lost its Lease and ends; None: it leads without one.
    """

    def __init__(
        self,
        world: World,
        invariants: Invariants,
        policies: PolicyInvariants,
        protocol: ProtocolInvariants,
        label: str,
        lost: "Callable[[Operator], None] | None" = None,
    ) -> None:
        self._world, self._invariants, self._policies, self._protocol = world, invariants, policies, protocol
        self.label = label
        world.stirs()
        self._process = Process(world, label, self)
        self._process.ahead = world.clock_error(world.machine_of_operator(len(world.processes)))
        self._wire = Wire(world, self._process, self._carried_out, self._sent)
        self._lost = lost
        self._shipped: app.Operator | None = None
        self._decided_on, self._decided = _NOTHING, Decided(world.now)
        self.looked_once = False
        self.identity = ""
        self.dies_after_writes = 0
        self.on_death: Callable[[], None] = self.crash
        self.expelling: dict[str, Expulsion] = {}
        self._process.start(self._main, "main")

    def _main(self) -> None:
        connection = Connection(self._wire, NAMESPACE)
        permit = self._elected(connection) if self._lost is not None else lambda: None
        self._shipped = app.Operator(
            connection,
            [NAMESPACE],
            _WORKERS,
            permit,
            Unmeasured(),
            Pulses(),
            slice_sizes=self._world.slice_sizes,
            on_set_back=self._ends_because_it_was_set_back,
        )
        _drive(self._shipped._start(cast(Any, _SETTINGS)))
        path = collection_path(RENDEZVOUS_PLURAL, NAMESPACE)
        Watcher(connection, path, {}, _Kopf(self._shipped), name="kopf", paged=True).start()

    def _elected(self, connection: Connection) -> Callable[[], None]:
        """Stand by until it leads; what permits a leader's writes."""
        elected = SimulatedEvent()
        self.identity = f"{self.label}-{self._world.server.version}-{self._world.seconds:.3f}"
        election = LeaderElection(
            connection,
            NAMESPACE,
            LEASE,
            self.identity,
            LEASE_SECONDS,
            on_elected=elected.set,
            on_lost=self._has_lost,
            on_set_back=self._ends_because_it_was_set_back,
            pulses=Pulses(),
        )
        election.start()
        elected.wait()
        self._world.say(f"{self.label} leads")
        self._invariants.count("elected")
        return election.permit

    def _has_lost(self) -> None:
        self._world.say(f"{self.label} has lost its lease")
        self._invariants.count("lease lost")
        assert self._lost is not None
        self._world.after(_END_SECONDS, partial(self._lost, self))

    def _ends_because_it_was_set_back(self) -> None:
        self._world.say(f"{self.label} finds that the storage was set back")
        self._invariants.count("an operator found it")
        self._world.after(_END_SECONDS, self.on_death)

    def stop_for(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self._world.say(f"{self.label} is stopped for {seconds:.0f} s")
        self._process.stop(seconds)
        self._world.stirs(seconds)

    def cut_lease(self, seconds: float) -> None:
        """Its requests about the Lease fail for so long; all others are answered."""
        self._world.say(f"{self.label} cannot reach its lease for {seconds:.0f} s")
        self._wire.cut("leases", seconds)

    def crash(self) -> None:
        """SIGKILL: each thread ends where it waits, also between a write and its answer."""
        self._world.say(f"{self.label} crashes")
        self._wire.stop()
        self.kill()

    def _dies_in_between(self) -> None:
        """Each write may be the last, and its answer never come."""
        self.dies_after_writes -= 1
        if self.dies_after_writes == 0:
            self._invariants.count("killed between two writes")
            self._world.after(0.0, self.on_death)

    def kill(self) -> None:
        """The scenario is over."""
        self._process.kill()

    def cut_a_watch(self, which: int, seconds: float) -> None:
        self._world.say(f"{self.label} loses its watch of {_WATCHED[which]} for {seconds:.0f} s")
        self._wire.cut(_WATCHED[which], seconds)
        self._world.stirs(seconds)

    def hang_a_watch(self, which: int, seconds: float) -> None:
        self._world.say(f"{self.label} hears nothing of {_WATCHED[which]} for {seconds:.0f} s")
        self._wire.hang(_WATCHED[which], seconds)
        self._world.stirs(seconds)

    def wake(self) -> None:
        """Something that is not simulated has changed: look at the rendezvous."""
        if self._shipped is not None:
            self._shipped._queue.wake(_KEY)

    # What it does, judged by what is true

    def decides(self, rendezvous: Rendezvous) -> None:
        """It is about to."""
        wire = self._wire
        self._decided_on = rendezvous
        self._decided = Decided(
            self._world.now + self._process.ahead,
            wire.heard_until("pods"),
            wire.heard_until("nodes"),
            frozenset(wire.told_of),
            "nodes" in wire.told,
            wire.listed_at.get(MEMBER_PLURAL, 0.0),
        )

    def neighbours(self) -> dict[Key, int]:
        """Members of rendezvous in other namespaces, so many that ours are left what the world says."""
        others = round(MAX_HEARTBEATS_PER_SECOND / self._world.heartbeats_left) - 1
        return {(f"other-{number}", "run"): 1000 for number in range(others)}

    def _sent(self, method: str, plural: str) -> None:
        """Only who holds the Lease writes, and knows it before it does."""
        if self._lost is None or (method, plural) not in (("PUT", RENDEZVOUS_PLURAL), ("DELETE", MEMBER_PLURAL)):
            return
        holder = self._world.objects["leases"][LEASE]["spec"]["holderIdentity"]
        if holder != self.identity:
            self._world.breaks(BrokenError(f"{self.label} sends {method} {plural}, but {holder} leads"))

    def _carried_out(self, method: str, plural: str, name: str, body: Any, refusal: RefusalError | None) -> None:
        if method != "GET" and plural not in ("events", "leases"):
            self._dies_in_between()
        try:
            if method == "PUT" and plural == RENDEZVOUS_PLURAL:
                self._has_written(refusal)
            elif method == "DELETE" and plural == MEMBER_PLURAL and refusal is None:
                self._has_deleted(name)
            elif plural == SLICE_PLURAL and refusal is None and method != "GET":
                self._invariants.count("slice written" if method == "POST" else "slice removed")
        except BrokenError as broken:
            self._world.breaks(broken)

    def _has_written(self, refusal: RefusalError | None) -> None:
        if refusal is not None:
            self._invariants.count(str(refusal.status))
            return
        before, after = self._world.before, self._world.rendezvous
        assert before is not None
        assert after is not None
        self._protocol.replaced(after)
        self._say(before.status, after.status)
        if before.status.round == after.status.round and before.status.sliced != after.status.sliced:
            self._invariants.count("slice made again")
        if missing_ranks(self._decided_on.status):
            self._invariants.written_without_all_names(before, after.status)
            return
        self._invariants.status_written(before, after.status, self._decided.members_listed_at)
        self._policies.status_written(before, after.status, self._decided)
        self._protocol.status_written(before, after.status, self._decided, self.label)

    def _has_deleted(self, name: str) -> None:
        expulsion = self.expelling[name]
        self._world.say(f"{self.label} deletes {name}: {expulsion.reason}")
        if missing_ranks(self._decided_on.status):
            return  # it knows only some of those that have a rank
        truth: Member = self._world.gone[name][1]
        self._invariants.expelled(expulsion, self._decided_on, truth.after_round)
        self._policies.expelled(expulsion)
        self._protocol.expelled(expulsion, self._decided_on, self._decided)

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


_SETTINGS = SimpleNamespace(**{part: SimpleNamespace() for part in (
    "scanning", "posting", "peering", "networking", "watching"
)})  # fmt: skip


class _Kopf:
    """Tells the operator what kopf would: each object that a list or a watch shows, but not what a list is missing."""

    def __init__(self, operator: app.Operator) -> None:
        self._operator = operator

    def relisted(self, objects: list[Object]) -> None:
        for obj in objects:
            self._tell(None, obj)

    def changed(self, obj: Object) -> None:
        self._tell("MODIFIED", obj)

    def removed(self, obj: Object) -> None:
        self._tell("DELETED", obj)

    def troubled(self, failure: ApiFailureError) -> None:
        """It tries again."""

    def connected(self) -> None:
        """Nothing to do."""

    def _tell(self, type_: str | None, obj: Object) -> None:
        _drive(self._operator._seen({"type": type_, "object": obj}))


def _drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it in this thread: whatever it waits for is waited for by the thread."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something that is not simulated")


class _Observed(Reconciler):
    """Says what it decides on."""

    def _decide(self, key: Key, rendezvous: Rendezvous) -> Verdict:
        current_owner(Operator).decides(rendezvous)
        return super()._decide(key, rendezvous)


def decides_first() -> bool:
    """Whether the operator that asks has not decided before."""
    operator = current_owner(Operator)
    first, operator.looked_once = not operator.looked_once, True
    return first


def observed() -> list[Replacement]:
    """What lets the simulation see why the shipped operator does something."""
    delete, counts = reconciler.delete_member, app.Operator._counts

    def delete_member(connection: Connection, expulsion: Expulsion) -> bool:
        current_owner(Operator).expelling[expulsion.member.name] = expulsion
        return delete(connection, expulsion)

    def with_neighbours(self: app.Operator) -> dict[Key, int]:
        return {**counts(self), **current_owner(Operator).neighbours()}

    return [
        (app, "Reconciler", _Observed),
        (reconciler, "delete_member", delete_member),
        (sweeper, "delete_member", delete_member),
        (app.Operator, "_counts", with_neighbours),
    ]
