"""What the demonstration shows, put together from processes, objects and the training log."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kube_rendezvous.resources import (
    BootstrapStore,
    Condition,
    Forming,
    Member,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
    State,
)
from rendezvous_demo.display import StepBar, changes
from rendezvous_demo.first_words import tell
from rendezvous_demo.nodes import NodeFacts
from rendezvous_demo.observation import MemberSeen, RendezvousSeen, Seen
from rendezvous_demo.snapshot import Snapshot, take_snapshot
from rendezvous_demo.training_log import Step
from rendezvous_local.programs import ETCD, KUBE_APISERVER

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = Member(
    "demo", "node-0-a", "uid-a", "1", NOW, "my-run", "uid-1", "10.0.0.1", 4000, pod_name="node-0", after_round=1
)
STATUS = RendezvousStatus(
    state=State.ACTIVE,
    round=2,
    ranks=("node-0-a",),
    bootstrap_store=BootstrapStore("node-0-a", "10.0.0.1", 5002),
    conditions=(Condition("Formed", "True", "RoundFormed", "Round 2 stands with 1 nodes.", NOW),),
)
RUNNING = NodeFacts("node-0", killed=False, exit_status=None)
STEP = Step(1.0, 0, 1, epoch=7, step=0, steps=12, loss=0.25, restarts=1, master=("10.0.0.1", 5002), pid=1)


def seen_with(status: RendezvousStatus, *members: Member) -> Seen:
    rendezvous = Rendezvous("demo", "my-run", "uid-1", "1", 1, RendezvousSpec(1, 4), status)
    return Seen((RendezvousSeen(0.0, rendezvous),), tuple(MemberSeen(0.0, member) for member in members))


def snapshot(epoch: int = 7) -> Snapshot:
    return take_snapshot([RUNNING], seen_with(STATUS, MEMBER), [replace(STEP, epoch=epoch)])


def test_a_node_that_trains_shows_its_place_and_its_last_step() -> None:
    (row,) = snapshot().rows
    assert (row.member, row.rank, row.world_size, row.round, row.epoch, row.loss, row.state) == (
        *("node-0-a", 0, 1, 2, 7, 0.25),
        "training",
    )
    assert snapshot().verdict == "Round 2 stands with 1 nodes."
    assert snapshot().store == "node-0-a serves the bootstrap store at 10.0.0.1:5002"


def test_a_step_of_an_earlier_round_is_not_shown() -> None:
    earlier = replace(STEP, master=("10.0.0.1", 5001))
    (row,) = take_snapshot([RUNNING], seen_with(STATUS, MEMBER), [earlier]).rows
    assert (row.rank, row.epoch, row.state) == (0, None, "starting its worker")


TOLD = replace(STATUS, forming=Forming(3, "MemberDeleted", "gone", interrupts=True, since=NOW))


@pytest.mark.parametrize(
    ("facts", "status", "members", "state"),
    [
        (RUNNING, STATUS, [], "starting"),
        (RUNNING, STATUS, [replace(MEMBER, name="node-0-b")], "waiting for a round"),
        (RUNNING, STATUS, [replace(MEMBER, after_round=2)], "waiting for a round"),
        (RUNNING, TOLD, [MEMBER], "told to join again"),
        (replace(RUNNING, killed=True, exit_status=-9), STATUS, [MEMBER], "killed"),
        (replace(RUNNING, exit_status=0), STATUS, [MEMBER], "finished"),
        (replace(RUNNING, exit_status=1), STATUS, [MEMBER], "failed (1)"),
    ],
)
def test_the_state_of_a_node(facts: NodeFacts, status: RendezvousStatus, members: list[Member], state: str) -> None:
    (row,) = take_snapshot([facts], seen_with(status, *members), [STEP]).rows
    assert row.state == state


def test_before_anything_was_seen_nodes_are_starting() -> None:
    assert take_snapshot([RUNNING], Seen(), []).rows[0].state == "starting"


def test_a_log_gets_a_line_for_each_change_and_none_for_a_step() -> None:
    assert changes(None, snapshot()) == [
        "Rendezvous: Round 2 stands with 1 nodes.",
        "Rendezvous: node-0-a serves the bootstrap store at 10.0.0.1:5002",
        "node-0: training, rank 0 of 1 in round 2, from epoch 7",
    ]
    assert changes(snapshot(), snapshot()) == []
    assert changes(snapshot(7), snapshot(8)) == []
    assert changes(snapshot(9), snapshot(10)) == ["epoch 10, loss 0.2500, 1 nodes"]


# Before and while a person waits -------------------------------------------------------------------------------------


def test_the_bar_of_a_step_follows_the_clock_and_does_not_run_over() -> None:
    now = 100.0
    step = StepBar(lambda: now)
    step.begin("Four nodes", 20.0)
    (task,) = step.bar.tasks
    assert (task.visible, task.completed, task.total) == (True, 0.0, 20.0)
    now = 105.0
    step.go_on()
    assert (task.percentage, task.fields["clock"]) == (25.0, "5 s of about 20 s")
    now = 130.0
    step.go_on()
    assert (task.percentage, task.fields["clock"]) == (100.0, "30 s of about 20 s")
    step.begin("A moment", 0.0)
    assert not task.visible


def test_the_first_words_say_what_is_to_be_built_and_how_long_all_of_it_takes() -> None:
    said = "\n".join(tell("", [ETCD, KUBE_APISERVER]))
    assert f"etcd (about {ETCD.minutes} min), kube-apiserver (about {KUBE_APISERVER.minutes} min)" in said
    assert f"about {3 + ETCD.minutes + KUBE_APISERVER.minutes} minutes" in said
    assert "Ctrl-C" in said


def test_the_first_words_say_what_is_there_already() -> None:
    assert "nothing is built" in "\n".join(tell("", []))
    assert "on the cluster of KUBECONFIG=/my/config" in "\n".join(tell("/my/config", []))
