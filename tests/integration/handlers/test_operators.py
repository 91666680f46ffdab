"""Operators that are killed in between, and two of them at once: the end is the same, only later.

That no version of the Rendezvous breaks an invariant is checked by the `recorder` of every test here.
"""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.agents import Agent, all_run_together
from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]

NODES = 6
DELETIONS = 12
LAST_CALL_SECONDS, AWAY_SECONDS = 15, 5


@pytest.fixture
def start_operator(cluster: Cluster, tmp_path: Path, namespace: str) -> Iterator[Callable[[], OperatorProcess]]:
    """Starts an operator for the test's namespace; they end with the test."""
    started: list[OperatorProcess] = []

    def start() -> OperatorProcess:
        log = tmp_path / f"operator-{len(started)}.log"
        started.append(OperatorProcess(cluster.kubeconfig, log=log, arguments=[f"--namespace={namespace}"]))
        started[-1].start()
        return started[-1]

    yield start
    for operator in started:
        operator.stop()


def delete_somebody(run: Run, dice: random.Random) -> str:
    """Delete the Member of a node that lives on; it comes back as a new incarnation."""
    victim = dice.choice(sorted(member.name for member in run.members()))
    run.delete_member(victim)
    return victim


def wait_for_a_round_without(victim: str, run: Run) -> None:
    run.until(lambda status: victim not in status.ranks, f"a round without {victim}")


def delete_again_and_again(run: Run, agents: list[Agent], between: Callable[[int], None]) -> None:
    """Members are deleted while rounds form and while they stand; at the end all are in one round."""
    dice = random.Random(7)
    for number in range(DELETIONS):
        victim = delete_somebody(run, dice)
        between(number)
        if number % 3:  # every third time the next one is lost before the round is formed
            wait_for_a_round_without(victim, run)
    eventually(lambda: all_run_together(agents), "all run in one round")
    assert [agent.error for agent in agents] == [None] * len(agents)
    assert run.status.world_size == NODES
    for agent in agents:
        assert agent.rounds == sorted(set(agent.rounds)), "the rounds of a node only grow"


@pytest.fixture
def agents(run: Run, node: MakeNode) -> list[Agent]:
    """Six nodes that drive themselves, at a rendezvous that forms rounds of four to six."""
    run.create(minNodes=4, maxNodes=NODES, lastCallSeconds=1, heartbeatSeconds=1)
    return [Agent(node(4, NODES)) for _ in range(NODES)]


def test_two_operators_at_once_do_not_corrupt_a_round(
    start_operator: Callable[[], OperatorProcess], run: Run, agents: list[Agent]
) -> None:
    operators = [start_operator(), start_operator()]
    eventually(lambda: all_run_together(agents), "all run in one round")
    delete_again_and_again(run, agents, lambda _: None)
    assert [operator.restarts for operator in operators] == [0, 0]


def test_an_operator_that_is_killed_again_and_again_gets_there_later(
    start_operator: Callable[[], OperatorProcess], run: Run, agents: list[Agent]
) -> None:
    operator = start_operator()
    eventually(lambda: all_run_together(agents), "all run in one round")

    def kill_now_and_then(number: int) -> None:
        if number % 4 == 0:
            operator.crash()

    delete_again_and_again(run, agents, kill_now_and_then)
    assert operator.restarts >= 1


def test_an_operator_that_is_started_again_disturbs_no_round(
    start_operator: Callable[[], OperatorProcess], run: Run, runs: Callable[[str], Run], node: MakeNode
) -> None:
    run.create(minNodes=2)
    nodes = [node(), node()]
    operator = start_operator()
    meet(*nodes)
    before = run.get()
    operator.kill()
    operator.start()
    runs("probe").create(minNodes=5).until(
        lambda status: status.observed_generation == 1, "the new operator is at work"
    )
    assert run.get() == before
    assert not any(one.told for one in nodes)


def test_a_member_that_is_lost_while_no_operator_runs_is_missed_when_one_does(
    start_operator: Callable[[], OperatorProcess], run: Run, node: MakeNode
) -> None:
    run.create(minNodes=2, maxNodes=2, lastCallSeconds=1)
    nodes = [node(2, 2), node(2, 2)]
    operator = start_operator()
    meet(*nodes)
    run.change_and_wait(minNodes=1)
    operator.kill()
    lost = run.member_in(nodes[0].slot)
    assert lost is not None
    nodes[0].fall_silent()
    run.delete_member(lost.name)
    assert not nodes[1].told
    operator.start()
    eventually(lambda: nodes[1].told, "the other is told")
    meet(nodes[1])


def test_an_operator_restart_does_not_extend_last_call(
    start_operator: Callable[[], OperatorProcess], run: Run, node: MakeNode
) -> None:
    run.create(minNodes=2, maxNodes=3, lastCallSeconds=LAST_CALL_SECONDS)
    nodes = [node(2, 3), node(2, 3)]
    operator = start_operator()
    joins = [one.join() for one in nodes]
    called = run.until(lambda status: status.forming and status.forming.deadline, "last call").forming
    assert called is not None
    operator.kill()
    time.sleep(AWAY_SECONDS)  # a last call that began anew would be so much longer
    operator.start()
    await_round(nodes, joins)
    assert called.deadline is not None
    late = (run.status.history[0].formed_at - called.deadline).total_seconds()
    assert 0 <= late < AWAY_SECONDS
