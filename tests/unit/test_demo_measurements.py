"""What the demonstration measures, from made-up observations."""

from dataclasses import replace
from datetime import UTC, datetime

from kube_rendezvous.resources import (
    BootstrapStore,
    Closed,
    Forming,
    Member,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
)
from rendezvous_demo.checks import (
    check_accuracy,
    check_closed,
    check_exits,
    check_growth,
    check_loss,
    check_masters,
)
from rendezvous_demo.measurements import (
    Loss,
    measure_growth,
    measure_loss,
    moved_ranks,
    told_limit,
    workers_at,
    wrong_masters,
)
from rendezvous_demo.observation import MemberSeen, RendezvousSeen, Seen
from rendezvous_demo.training_log import Endpoint, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KILLED_AT = 100.0
LOST = Forming(2, "HeartbeatLost", "node-1-a has sent no heartbeat", interrupts=True, since=NOW)


def a_rendezvous(number: int, *ranks: str, forming: Forming | None = None) -> Rendezvous:
    """In that round, whose rank 0 serves the store at port 5000 + its number."""
    store = BootstrapStore(ranks[0], "10.0.0.1", 5000 + number)
    status = RendezvousStatus(round=number, ranks=ranks, bootstrap_store=store, forming=forming)
    return Rendezvous("demo", "my-run", "uid-1", str(number), 1, RendezvousSpec(2, 4), status)


def a_member(name: str, after_round: int = 0) -> Member:
    return Member("demo", name, f"uid-{name}", "1", NOW, "my-run", "uid-1", "10.0.0.1", 4000, after_round=after_round)


def a_step(number: int, rank: int = 0, *, pid: int = 1) -> Step:
    master: Endpoint = ("10.0.0.1", 5000 + number)
    return Step(0.0, rank, 4, epoch=0, step=0, steps=12, loss=1.0, restarts=0, master=master, pid=pid)


BEFORE = a_rendezvous(1, "node-0-a", "node-1-a", "node-2-a", "node-3-a")
TOLD = a_rendezvous(1, "node-0-a", "node-1-a", "node-2-a", "node-3-a", forming=LOST)
AFTER = a_rendezvous(2, "node-0-a", "node-3-a", "node-2-a")
LOSS = Loss("node-1", "node-1-a", 1, KILLED_AT, clock_at=5000.0)
SEEN = Seen(
    rendezvous=(
        RendezvousSeen(90.0, BEFORE),
        RendezvousSeen(105.5, TOLD),
        RendezvousSeen(106.5, AFTER),
    ),
    members=(
        *(MemberSeen(80.0, a_member(f"node-{slot}-a")) for slot in range(4)),
        MemberSeen(105.75, a_member("node-0-a", after_round=1)),
        MemberSeen(106.25, a_member("node-2-a", after_round=1)),
        MemberSeen(106.0, a_member("node-3-a", after_round=1)),
    ),
)


def test_a_loss_is_measured_from_the_kill() -> None:
    measured = measure_loss(LOSS, SEEN)
    assert measured.rank == 1
    assert measured.reason == "HeartbeatLost"
    assert measured.said_after == 5.5
    assert measured.told_after == {"node-0-a": 5.75, "node-2-a": 6.25, "node-3-a": 6.0}
    assert measured.all_told_after == 6.25
    assert measured.stood_after == 6.5
    assert measured.moved == (1,)
    assert measured.world_size == 3


def test_what_was_seen_before_the_kill_tells_nobody_of_it() -> None:
    growth = replace(LOST, reason="Growth", interrupts=True)
    earlier = RendezvousSeen(95.0, replace(BEFORE, status=replace(BEFORE.status, forming=growth)))
    seen = replace(SEEN, rendezvous=(SEEN.rendezvous[0], earlier, *SEEN.rendezvous[1:]))
    assert measure_loss(LOSS, seen).said_after == 5.5


def test_a_formation_that_disturbs_nobody_is_no_telling() -> None:
    gathering = a_rendezvous(1, *BEFORE.status.ranks, forming=replace(LOST, reason="Growth", interrupts=False))
    seen = replace(SEEN, rendezvous=(SEEN.rendezvous[0], RendezvousSeen(101.0, gathering), *SEEN.rendezvous[1:]))
    assert measure_loss(LOSS, seen).said_after == 5.5


def test_one_survivor_that_was_not_told_is_enough_to_fail() -> None:
    seen = replace(SEEN, members=SEEN.members[:-1])
    measured = measure_loss(LOSS, seen)
    assert measured.all_told_after is None
    assert not check_loss(measured, heartbeat_seconds=2)[0].holds


def test_survivors_have_the_heartbeat_limit_and_two_seconds() -> None:
    assert told_limit(LOSS, heartbeat_seconds=2) == 8.0
    measured = measure_loss(LOSS, SEEN)
    assert check_loss(measured, heartbeat_seconds=2)[0].holds
    assert not check_loss(measured, heartbeat_seconds=1)[0].holds


def test_survivors_of_a_deleted_member_have_two_seconds_flat() -> None:
    deleted = replace(LOSS, deleted=True)
    assert told_limit(deleted, heartbeat_seconds=2) == 2.0
    assert not check_loss(measure_loss(deleted, SEEN), heartbeat_seconds=2)[0].holds


def test_a_loss_without_a_next_round_fails() -> None:
    measured = measure_loss(LOSS, replace(SEEN, rendezvous=SEEN.rendezvous[:2]))
    assert measured.stood_after is None
    assert not check_loss(measured, heartbeat_seconds=2)[1].holds


def test_a_replacement_moves_its_own_rank_only() -> None:
    grown = a_rendezvous(3, "node-0-a", "node-3-a", "node-2-a", "node-1b-a")
    seen = Seen(
        (*SEEN.rendezvous, RendezvousSeen(112.0, grown)),
        (*SEEN.members, MemberSeen(110.0, a_member("node-1b-a"))),
    )
    measured = measure_growth("node-1b-a", seen)
    assert (measured.round, measured.rank, measured.moved, measured.stood_after) == (3, 3, (3,), 2.0)
    assert check_growth("node-1b", measured).holds


def test_a_replacement_that_moves_another_rank_fails() -> None:
    shuffled = a_rendezvous(3, "node-0-a", "node-2-a", "node-3-a", "node-1b-a")
    seen = Seen(
        (*SEEN.rendezvous, RendezvousSeen(112.0, shuffled)),
        (*SEEN.members, MemberSeen(110.0, a_member("node-1b-a"))),
    )
    assert not check_growth("node-1b", measure_growth("node-1b-a", seen)).holds


def test_a_replacement_that_never_came_in_fails() -> None:
    measured = measure_growth("node-1b-a", SEEN)
    assert measured.round == 0
    assert not check_growth("node-1b", measured).holds


def test_ranks_above_the_new_world_size_do_not_count_as_moved() -> None:
    assert moved_ranks(["a", "b", "c"], ["a", "b"]) == ()
    assert moved_ranks(["a", "b", "c"], ["a", "c"]) == (1,)
    assert moved_ranks([], ["a", "b"]) == (0, 1)


def test_workers_that_meet_at_their_rounds_rank_0_are_right() -> None:
    steps = [a_step(1, pid=1), a_step(1, 1, pid=2), a_step(2, pid=3), a_step(2, 1, pid=4), a_step(2, 2, pid=5)]
    assert wrong_masters(steps, SEEN) == []
    assert workers_at(steps, ("10.0.0.1", 5002)) == 3
    assert check_masters(AFTER, 3, []).holds


def test_a_worker_that_met_at_no_rounds_store_is_told() -> None:
    (sentence,) = wrong_masters([a_step(7, 2, pid=9)], SEEN)
    assert sentence == "worker 9 (rank 2) met at 10.0.0.1:5007, which no round's rank 0 served"
    assert not check_masters(AFTER, 3, [sentence]).holds


def test_a_worker_that_stays_with_the_dead_rank_0_is_told() -> None:
    (sentence,) = wrong_masters([a_step(1, pid=1), a_step(2, pid=3), a_step(1, 2, pid=4)], SEEN)
    assert "of round 1, after round 2 had begun to train" in sentence


def test_a_survivor_that_never_met_the_new_rank_0_fails() -> None:
    assert not check_masters(AFTER, 2, []).holds


def test_the_end_is_checked() -> None:
    assert check_accuracy(0.95).holds
    assert not check_accuracy(0.949).holds
    assert not check_accuracy(None).holds
    assert check_exits("torchrun", {"node-0": 0, "node-2": 0}).holds
    assert not check_exits("torchrun", {"node-0": 0, "node-2": None}).holds
    assert not check_exits("torchrun", {"node-0": 0, "node-2": 1}).holds
    assert check_closed(Closed("node-0-a", NOW, "ClosedByMember", "closed by node-0-a")).holds
    assert not check_closed(None).holds
