"""A run of stock torchrun agents goes on through losses, arrivals and failures, and ends well."""

import time

import pytest

from integration.torchrun.job import SILENCE_SECONDS, SUMMING, Job, eventually
from integration.torchrun.jobs import Jobs

# How long after the silence limit (or after a farewell) everybody must have been told.
TOLD_SECONDS = 2.0


def seconds_until_told(job: Job, round: int) -> float:
    """How long it takes from now until the members of a round are told to leave it."""
    began = time.monotonic()
    job.wait_until(
        f"word for the members of round {round}",
        lambda it: it.status.round > round or (it.status.forming is not None and it.status.forming.interrupts),
    )
    return time.monotonic() - began


@pytest.mark.core
def test_nodes_die_are_replaced_and_arrive_late_and_the_run_ends_well(jobs: Jobs) -> None:
    job = jobs(minNodes=2, maxNodes=4, lastCallSeconds=3, lateJoiners="Restart", reopen="Never")

    # All join.
    job.start("node-0", "node-1", "node-2", "node-3")
    first = job.wait_for_round(1, ["node-0", "node-1", "node-2", "node-3"])
    assert first.nodes == ("node-0", "node-1", "node-2", "node-3")

    # One node too many stands by and disturbs nobody.
    job.start("node-4")
    job.wait_until("node on standby", lambda it: it.status.standby == 1)
    job.wait_for_heartbeats()
    job.assert_undisturbed(first)

    # A node that is not rank 0 dies: the one on standby takes over its rank, and nobody else's moves.
    job.nodes["node-2"].kill()
    assert seconds_until_told(job, 1) < SILENCE_SECONDS + TOLD_SECONDS
    second = job.wait_for_round(2, ["node-0", "node-1", "node-3", "node-4"])
    assert second.nodes == ("node-0", "node-1", "node-4", "node-3")
    assert (second.past.reason, second.past.moved_ranks) == ("HeartbeatLost", 1)

    # Rank 0 dies: the survivors go on, and their MASTER_ADDR:MASTER_PORT is that of the new rank 0.
    job.nodes["node-0"].kill()
    assert seconds_until_told(job, 2) < SILENCE_SECONDS + TOLD_SECONDS
    third = job.wait_for_round(3, ["node-1", "node-3", "node-4"])
    assert third.nodes == ("node-3", "node-1", "node-4")
    assert third.master != second.master
    store = job.rendezvous.status.bootstrap_store
    assert store is not None
    assert store.member.startswith("node-3-")
    assert {start.master for start in third.starts.values()} == {f"{store.address}:{store.port}"}

    # One that comes late makes the world larger, and gets the only new rank.
    job.start("node-5")
    fourth = job.wait_for_round(4, ["node-1", "node-3", "node-4", "node-5"])
    assert fourth.nodes == ("node-3", "node-1", "node-4", "node-5")
    assert (fourth.past.reason, fourth.past.moved_ranks) == ("Growth", 1)

    # Nothing of this was charged to --max-restarts.
    assert {start.restarts for start in fourth.starts.values()} == {0}

    # All end well, and the object says why it is closed.
    job.finish()
    assert job.exit_statuses("node-1", "node-3", "node-4", "node-5") == dict.fromkeys(
        ["node-1", "node-3", "node-4", "node-5"], 0
    )
    closed = job.wait_until("closing", lambda it: it.status.closed is not None).status.closed
    assert closed is not None
    assert closed.reason == "ClosedByMember"
    assert "after round 4" in closed.message

    # One that comes after the end is told so.
    job.start("node-6")
    assert job.exit_statuses("node-6") != {"node-6": 0}
    assert "RendezvousClosedError" in job.nodes["node-6"].log
    assert f"is closed: {closed.message}" in job.nodes["node-6"].log


def test_late_joiners_wait_for_the_round_that_a_failed_worker_causes_and_sigterm_is_a_farewell(jobs: Jobs) -> None:
    job = jobs(minNodes=3, maxNodes=4, lastCallSeconds=1, lateJoiners="Wait")
    job.start("node-0", "node-1", "node-2")
    first = job.wait_for_round(1, ["node-0", "node-1", "node-2"])

    # One that comes late waits, although there is a place.
    job.start("node-3")
    job.wait_until("node on standby", lambda it: it.status.standby == 1)
    job.wait_for_heartbeats()
    job.assert_undisturbed(first)

    # A worker fails once: everybody goes to a new round, the one that waited as well.
    job.nodes["node-1"].fail_worker()
    second = job.wait_for_round(2, ["node-0", "node-1", "node-2", "node-3"])
    assert second.nodes == ("node-0", "node-1", "node-2", "node-3")
    assert second.past.reason == "MemberRestarted"
    assert {name: start.restarts for name, start in second.starts.items()} == {
        "node-0": 0,
        "node-1": 1,
        "node-2": 0,
        "node-3": 0,
    }

    # An agent gets SIGTERM, after which torchrun does not shut its handler down: the others hear of it at once all the
    # same, and go on.
    job.nodes["node-0"].terminate()
    assert seconds_until_told(job, 2) < TOLD_SECONDS
    third = job.wait_for_round(3, ["node-1", "node-2", "node-3"])
    assert third.past.reason == "MemberLeft"
    assert third.past.moved_ranks == 1
    assert job.exit_statuses("node-0") != {"node-0": 0}

    job.finish()
    assert job.exit_statuses("node-1", "node-2", "node-3") == {"node-1": 0, "node-2": 0, "node-3": 0}
    job.wait_until("closing", lambda it: it.status.closed is not None)


def test_workers_compute_together_again_after_rank_0_died_in_a_collective(jobs: Jobs) -> None:
    job = jobs(SUMMING, minNodes=2, maxNodes=4, lastCallSeconds=3)
    job.start("node-0", "node-1", "node-2", "node-3")
    job.wait_for_round(1, ["node-0", "node-1", "node-2", "node-3"])
    eventually("sum over four nodes", lambda: all(node.sums == [4] for node in job.nodes.values()))

    # Its Member is deleted as well, as Kubernetes would with its pod: nobody waits for the silence limit.
    job.nodes["node-0"].kill()
    job.delete_member("node-0")
    assert seconds_until_told(job, 1) < TOLD_SECONDS
    job.wait_for_round(2, ["node-1", "node-2", "node-3"])
    survivors = [job.nodes[name] for name in ("node-1", "node-2", "node-3")]
    eventually("sum over three nodes", lambda: all(node.sums == [4, 3] for node in survivors))

    job.finish()
    assert set(job.exit_statuses("node-1", "node-2", "node-3").values()) == {0}
