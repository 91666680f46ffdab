"""The leader goes, or only sleeps: another takes over, no round is corrupted, nobody who runs is disturbed.

That no version of the Rendezvous breaks an invariant is checked by the `recorder` of every test here.
"""

import threading
import time
from collections.abc import Callable

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from integration.replicas.replicas import LEASE_SECONDS, LIMIT, Replicas, leads, sample, until_leading
from kube_rendezvous_operator.shell.service import LEADERSHIP_LOST

Runs = Callable[[str], Run]
MakeNode = Callable[..., Node]

TAKEOVER_SECONDS = 2.0
BUSY_MACHINE_SECONDS = 10.0
"""A machine that builds something else at the same time may stop any of us for seconds. What the takeover takes is
recorded as the property `takeover_seconds`; on an idle machine it is within the lease time and two seconds."""


def lose(run: Run, node: Node) -> None:
    """As when its pod is deleted by force."""
    member = run.member_in(node.slot)
    assert member is not None
    node.fall_silent()
    run.delete_member(member.name)


def test_of_two_replicas_that_start_at_once_one_leads_and_both_are_ready(replicas: Replicas) -> None:
    both = [replicas.make(), replicas.make()]
    starts = [threading.Thread(target=one.start) for one in both]
    for start in starts:
        start.start()
    for start in starts:
        start.join(LIMIT)
    eventually(lambda: any(leads(one) for one in both), "one leads", LIMIT)
    for _ in range(20):
        assert [leads(one) for one in both].count(True) <= 1
        assert sum(sample(one, "kube_rendezvous_leader") for one in both) <= 1
    standby = next(one for one in both if "standing by" in one.page("/readyz"))
    assert f"standing by, {replicas.lease['holderIdentity']} leads" in standby.page("/readyz")
    assert replicas.lease["leaseTransitions"] == 0


def test_when_the_leader_is_killed_while_a_round_forms_another_publishes_it_and_nobody_restarts(
    replicas: Replicas, runs: Runs, node: MakeNode, record_property: Callable[[str, object], None]
) -> None:
    leader, standby = replicas.pair()
    standing, forming = runs("standing").create(minNodes=2), runs("forming").create(minNodes=3, maxNodes=3)
    undisturbed = [node(standing), node(standing)]
    meet(*undisturbed)
    before = standing.get()
    nodes = [node(forming, 3, 3) for _ in range(3)]
    joins = [one.join() for one in nodes[:2]]
    forming.until(lambda status: status.forming and status.forming.arrived == 2, "two have come")
    leader.kill()
    killed = time.monotonic()
    joins.append(nodes[2].join())
    await_round(nodes, joins, LIMIT)
    seconds = time.monotonic() - killed
    record_property("takeover_seconds", round(seconds, 2))
    until_leading(standby)
    assert forming.status.round == 1, "it is the round that was being formed"
    assert standing.get() == before
    assert not any(one.told for one in (*undisturbed, *nodes))
    assert seconds < LEASE_SECONDS + TAKEOVER_SECONDS + BUSY_MACHINE_SECONDS


def test_a_leader_that_was_stopped_and_wakes_up_writes_nothing_of_what_it_had_decided(
    replicas: Replicas, runs: Runs, node: MakeNode
) -> None:
    old, new = replicas.pair()
    run = runs("run").create(minNodes=2, heartbeatSeconds=1)
    survivor, lost, newcomer = (node(run) for _ in range(3))
    meet(survivor, lost)
    # The nodes know of the round as soon as it is written, its writer only with the answer: what is still under way
    # when it falls asleep was decided by a leader, and is no fault.
    eventually(lambda: "Round 1 stands" in replicas.log_of(0).read_text(), "it knows that it wrote the round", LIMIT)
    # What it sleeps over: a member that is lost, a new round, a rendezvous that comes. When it wakes up, by its own
    # clock everybody has been silent for much too long.
    old.pause()
    lose(run, lost)
    eventually(lambda: survivor.told, "the other has told the survivor", LIMIT)
    meet(survivor, newcomer)
    other = runs("other").create(minNodes=2)
    others = [node(other), node(other)]
    meet(*others)
    until_leading(new)
    transitions = replicas.lease["leaseTransitions"]
    slept = replicas.log_of(0).read_text()
    seen = run.get(), other.get(), {(one.name, one.uid) for one in (*run.members(), *other.members())}
    old.resume()
    eventually(lambda: old.exit_codes == [LEADERSHIP_LOST], "the old leader steps down", LIMIT)
    old.wait_until_ready()
    until_leading(new)
    assert not leads(old)
    woken = replicas.log_of(0).read_text().removeprefix(slept)
    assert "The lease is lost" in woken
    assert not [line for line in woken.splitlines() if f"{run.namespace}/" in line and "lease" not in line], woken
    assert seen == (run.get(), other.get(), {(one.name, one.uid) for one in (*run.members(), *other.members())})
    assert not any(one.told for one in (survivor, newcomer, *others))
    assert replicas.lease["leaseTransitions"] == transitions


def test_a_leader_that_was_stopped_while_nobody_stood_by_goes_on_as_if_nothing_had_been(
    replicas: Replicas, runs: Runs, node: MakeNode
) -> None:
    alone = replicas.start()
    until_leading(alone)
    run = runs("run").create(minNodes=2)
    nodes = [node(run), node(run)]
    meet(nodes[0], nodes[1])
    alone.pause()
    renewed = replicas.lease["renewTime"]
    began = time.monotonic()
    # Not for a time: until the lease has run out by the clock by which it is judged.
    eventually(lambda: time.monotonic() - began > LEASE_SECONDS, "the lease has run out", LIMIT)
    assert replicas.lease["renewTime"] == renewed
    alone.resume()
    until_leading(alone)
    assert alone.exit_codes == []
    assert replicas.lease["leaseTransitions"] == 0
    lose(run, nodes[1])
    eventually(lambda: nodes[0].told, "it works: the survivor is told", LIMIT)
