"""Whatever happens in whatever order, every invariant of the protocol holds.

A Hypothesis state machine drives `decide` through joins, losses, re-joins, closes, edits of the spec, a Rendezvous
created anew, operator crashes, stale snapshots, an API server that is away, and two operators at once.

A failing run prints its steps and a line `@reproduce_failure(...)`: put that above the class and run the test again.
"""

import sys
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kube_rendezvous.resources import LateJoiners, RendezvousSpec, Reopen
from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core.formation.formation import WorldSizes
from simulation.auditor import Auditor
from simulation.simulated_cluster import Cluster
from simulation.simulated_node import Node, Phase
from simulation.simulated_operator import Operator

EXAMPLES = 800
STEPS_OF_AN_EXAMPLE = 60
STEPS_REQUIRED = 20_000
MOST_NODES = 7
HEARTBEAT_SECONDS = 5
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS

# A run in which one of these never happened has proved too little.
MUST_HAPPEN = {
    "RoundFormed",
    "MemberLeft",
    "MemberSuperseded",
    "HeartbeatLost",
    "MemberDeleted",
    "MemberRestarted",
    "SpecChanged",
    "Growth",
    "Reopened",
    "ClosedByMember",
    "expelled for NotArrived",
    "expelled for HeartbeatLost",
    "expelled for OtherRendezvous",
}

sizes = st.sampled_from([(1, 1, 1), (1, 3, 1), (2, 2, 1), (2, 4, 1), (3, 5, 1), (2, 6, 2), (4, 6, 2), (3, 6, 3)])
late_joiners = st.sampled_from(LateJoiners)
anyone = st.integers(0, 99)
either_operator = st.sampled_from([0, 0, 0, 1])


class DecideMachine(RuleBasedStateMachine):
    """See the module."""

    steps: ClassVar[int] = 0
    happened: ClassVar[Counter[str]] = Counter()

    @initialize(
        size=sizes,
        last_call=st.sampled_from([3, 10, 30]),
        late=late_joiners,
        reopen=st.sampled_from([Reopen.WHEN_EMPTY] * 4 + [Reopen.NEVER]),
        nodes=st.integers(0, 6),
        calm_seconds=st.sampled_from([0, 5, 35]),
    )
    def start(
        self,
        size: tuple[int, int, int],
        last_call: int,
        late: LateJoiners,
        reopen: Reopen,
        nodes: int,
        calm_seconds: int,
    ) -> None:
        spec = RendezvousSpec(
            *size,
            last_call_seconds=last_call,
            heartbeat_seconds=HEARTBEAT_SECONDS,
            late_joiners=late,
            reopen=reopen,
        )
        self.cluster = Cluster(spec)
        self.nodes = [Node(self.cluster, place, 0) for place in range(nodes)]
        self.auditor = Auditor(self.cluster, lambda: self.alive, self.happened)
        self.operators = [Operator(self.cluster, which, self.auditor) for which in (0, 1)]
        for _ in range(calm_seconds):
            self.one_calm_second()

    # Nodes ------------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> list[Node]:
        return [node for node in self.nodes if node.alive]

    def pick(self, number: int, *phases: Phase) -> Node | None:
        those = [node for node in self.alive if not phases or node.phase in phases]
        return those[number % len(those)] if those else None

    @precondition(lambda self: len(self.alive) < MOST_NODES)
    @rule(how_many=st.integers(1, 3))
    def join(self, how_many: int) -> None:
        for _ in range(how_many):
            free = next(place for place in range(99) if all(n.place != place for n in self.alive))
            self.start_process(free)

    def start_process(self, place: int) -> None:
        self.cluster.seconds += 0.01
        self.nodes.append(Node(self.cluster, place, len(self.nodes)))

    @precondition(lambda self: self.alive)
    @rule(who=anyone)
    def die_silently(self, who: int) -> None:
        node = self.pick(who)
        assert node is not None
        node.die()

    @precondition(lambda self: self.alive)
    @rule(who=anyone)
    def process_restarts_in_its_place(self, who: int) -> None:
        node = self.pick(who)
        assert node is not None
        node.die()
        self.start_process(node.place)

    @precondition(lambda self: self.alive)
    @rule(who=anyone, closes=st.sampled_from([False] * 5 + [True]))
    def end(self, who: int, closes: bool) -> None:
        node = self.pick(who)
        assert node is not None
        if closes:
            node.close("training succeeded")
        else:
            node.leave()

    @precondition(lambda self: self.cluster.members)
    @rule(which=anyone)
    def member_object_is_deleted(self, which: int) -> None:
        names = sorted(self.cluster.members)
        self.cluster.delete_member(names[which % len(names)])

    @precondition(lambda self: self.pick(0, Phase.WAITING, Phase.RUNNING))
    @rule(who=anyone)
    def one_looks(self, who: int) -> None:
        node = self.pick(who, Phase.WAITING, Phase.RUNNING)
        assert node is not None
        node.look()

    @rule()
    def all_look(self) -> None:
        for node in self.alive:
            node.look()

    @precondition(lambda self: self.pick(0, Phase.STOPPING))
    @rule(who=anyone)
    def one_that_was_told_joins_again(self, who: int) -> None:
        node = self.pick(who, Phase.STOPPING)
        assert node is not None
        node.join_again()

    @rule()
    def all_that_were_told_join_again(self) -> None:
        for node in self.alive:
            if node.phase is Phase.STOPPING:
                node.join_again()

    @precondition(lambda self: self.pick(0, Phase.RUNNING))
    @rule(who=anyone)
    def workers_fail_and_the_node_joins_again(self, who: int) -> None:
        node = self.pick(who, Phase.RUNNING)
        assert node is not None
        node.join_again()

    @rule(seconds=st.sampled_from([1, 2, 4, 12]))
    def nothing_special_happens(self, seconds: int) -> None:
        for _ in range(seconds):
            self.one_calm_second()

    # People and time --------------------------------------------------------------------------------------------

    @rule(size=sizes, late=late_joiners)
    def edit_the_spec(self, size: tuple[int, int, int], late: LateJoiners) -> None:
        minimum, maximum, unit = size
        self.cluster.edit_spec(min_nodes=minimum, max_nodes=maximum, node_unit=unit, late_joiners=late)

    @rule(really=st.sampled_from([False] * 4 + [True]))
    def close_or_open_by_hand(self, really: bool) -> None:
        if self.cluster.spec.closed or really:
            self.cluster.edit_spec(closed=not self.cluster.spec.closed)

    @precondition(lambda self: self.cluster.rendezvous.status.round > 0)
    @rule(really=st.integers(0, 11))
    def delete_and_create_anew(self, really: int) -> None:
        if really == 0:
            self.cluster.create_rendezvous()

    @rule(seconds=st.sampled_from([0.2, 1.0, 4.0, 11.0, 16.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        while seconds > 0:
            chunk = min(seconds, float(HEARTBEAT_SECONDS))
            self.cluster.seconds += chunk
            seconds -= chunk
            now = format_time(self.cluster.now)
            self.cluster.patch_members({node.name: {"renew_time": now} for node in self.alive})

    @rule(seconds=st.sampled_from([10.0, 60.0, 600.0]))
    def the_api_server_is_away(self, seconds: float) -> None:
        self.cluster.seconds += seconds
        for operator in self.operators:
            operator.forgive(seconds)

    # Operators --------------------------------------------------------------------------------------------------

    @rule(which=either_operator)
    def reconcile_on_what_is_there(self, which: int) -> None:
        self.operators[which].catch_up()
        self.operators[which].reconcile()

    @rule(which=either_operator)
    def reconcile_on_a_stale_snapshot(self, which: int) -> None:
        self.operators[which].reconcile()

    @rule(which=st.sampled_from([0, 1]))
    def reconcile_with_the_rendezvous_newer_than_the_members(self, which: int) -> None:
        self.operators[which].watch_rendezvous(len(self.cluster.rendezvous_log))
        self.operators[which].reconcile()

    @rule(which=either_operator, rendezvous=st.integers(0, 3), members=st.integers(0, 6))
    def some_events_arrive(self, which: int, rendezvous: int, members: int) -> None:
        self.operators[which].watch_rendezvous(rendezvous)
        self.operators[which].watch_members(members)

    @rule(which=either_operator)
    def the_member_watch_was_cut(self, which: int) -> None:
        self.operators[which].relist()

    @rule(which=either_operator)
    def decide_only(self, which: int) -> None:
        self.operators[which].think()

    @precondition(lambda self: any(operator.plan for operator in self.operators))
    @rule(which=st.sampled_from([0, 1]))
    def carry_out_one_step(self, which: int) -> None:
        operator = self.operators[which] if self.operators[which].plan else self.operators[1 - which]
        operator.act()

    @rule(which=either_operator)
    def operator_crashes_and_starts_again(self, which: int) -> None:
        self.operators[which].restart()

    # What must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def count(self) -> None:
        type(self).steps += 1
        self.auditor.note_requests()

    @invariant()
    def whoever_runs_a_round_has_a_rank_in_it(self) -> None:
        for node in self.alive:
            if node.phase in (Phase.RUNNING, Phase.STOPPING):
                assert node.name in self.cluster.rounds[node.uid, node.holds].ranks

    # The end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """When faults stop and enough live, a round stands within last call, heartbeat limit and one reconcile."""
        if sys.exception() is not None or not hasattr(self, "cluster"):
            return  # a step has failed already: that is what must be seen
        for operator in self.operators:
            operator.plan.clear()
        limit = self.cluster.spec.last_call_seconds + SILENCE_SECONDS + 4
        stood = False
        for _ in range(limit):
            self.one_calm_second()
            stood = stood or self.a_round_of_the_living_stands()
        if self.cluster.rendezvous.status.closed is not None:
            return
        if not WorldSizes.of(self.cluster.spec).largest(len(self.alive)):
            return
        assert stood, f"no round stands: {self.cluster.rendezvous.status}"
        for _ in range(limit):
            self.one_calm_second()
        assert self.a_round_of_the_living_stands()
        assert self.cluster.rendezvous.status.forming is None
        versions = len(self.cluster.rendezvous_log)
        self.one_calm_second()
        assert len(self.cluster.rendezvous_log) == versions, "nothing happens, and yet the status is written"

    def one_calm_second(self) -> None:
        self.time_passes(1.0)
        for node in self.alive:
            node.look()
            if node.phase is Phase.STOPPING:
                node.join_again()
        self.auditor.note_requests()
        self.operators[0].catch_up()
        self.operators[0].reconcile()

    def a_round_of_the_living_stands(self) -> bool:
        status = self.cluster.rendezvous.status
        names = {node.name for node in self.alive}
        interrupted = status.forming is not None and status.forming.interrupts
        return bool(status.ranks) and names.issuperset(status.ranks) and not interrupted


@pytest.mark.timeout(600)
def test_every_invariant_holds_over_twenty_thousand_steps() -> None:
    thorough: Any = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS_OF_AN_EXAMPLE,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(DecideMachine, settings=thorough)
    assert DecideMachine.steps >= STEPS_REQUIRED, f"only {DecideMachine.steps} steps were run"
    never = sorted(MUST_HAPPEN - DecideMachine.happened.keys())
    assert not never, f"too easy: {never} never happened, only {DecideMachine.happened}"
