"""A run that fails over and over, or cannot begin, says so instead of holding its nodes for ever."""

from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import MEET_SECONDS, Node, await_round, meet
from integration.handlers.runs import Run
from integration.pods.pod_objects import PodObjects
from kube_rendezvous.api import RendezvousClosedError
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import Condition, RendezvousStatus, State
from kube_rendezvous_core.policy.failure_policy import BY_POLICY

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]


def condition(run: Run, kind: str) -> Condition:
    return next(condition for condition in run.status.conditions if condition.type == kind)


def is_stalled(status: RendezvousStatus) -> bool:
    return any(condition.type == "Stalled" and condition.status == "True" for condition in status.conditions)


def fail_and_restart(failing: Node, others: list[Node]) -> None:
    """The workers of one node fail: it joins again, and the others when they are told."""
    again = failing.join()
    eventually(lambda: all(one.told for one in others), "the others are told")
    await_round([failing, *others], [again, *(one.join() for one in others)])


def test_a_run_that_fails_over_and_over_is_closed_and_says_why(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, failurePolicy={"noProgress": {"rounds": 3, "withinSeconds": 600}})
    steady, failing = node(), node()
    meet(steady, failing)
    fail_and_restart(failing, [steady])
    fail_and_restart(failing, [steady])
    last = failing.join()
    why = "failures made 3 rounds necessary within 600 s; the last failure: .* joined again after round 3"
    with pytest.raises(RendezvousClosedError, match=why):
        last.result(MEET_SECONDS)
    eventually(lambda: steady.told, "the other one is told to stop")
    with pytest.raises(RendezvousClosedError, match=why):
        steady.join().result(MEET_SECONDS)

    status = run.status
    assert status.closed is not None
    assert (status.closed.reason, status.closed.by, status.state) == (BY_POLICY, "spec.failurePolicy", State.CLOSED)
    assert status.closed.message.endswith("Look at the logs of the members that failed, then start the job anew")
    said = condition(run, "Closed")
    assert (said.status, said.reason) == ("True", BY_POLICY)
    assert eventually(lambda: run.events("Closed"), "an Event says so") == [status.closed.message]
    assert status.round == 3

    assert steady.handler.shutdown()
    assert failing.handler.shutdown()
    run.until(lambda status: status.closed is not None and status.closed.reopens_on_join, "everybody is gone")
    meet(node(), node())
    assert (run.status.round, run.status.opened_after) == (4, 3), "the job that is started anew has a fresh count"


def test_a_round_for_which_too_few_pods_exist_is_said_to_be_impossible(
    run: Run, namespace: str, anybody: Connection
) -> None:
    pods = PodObjects(anybody, namespace)
    try:
        pods.create("trainer-0", run.name)
        run.create(minNodes=2)
        run.until(is_stalled, "it is said to be stalled")
        said = condition(run, "Stalled")
        assert said.reason == "Impossible"
        assert "Round 1 needs 2 nodes, but only 1 can ever take part" in said.message
        assert eventually(lambda: run.events("Stalled"), "an Event says so") == [said.message]
    finally:
        pods.delete_all()
