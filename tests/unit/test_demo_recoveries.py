"""The demonstration puts two ways to go on side by side, from made-up steps."""

from dataclasses import replace

import pytest

from kube_rendezvous.resources import BootstrapStore, Rendezvous, RendezvousSpec, RendezvousStatus
from rendezvous_demo.checks import check_pids, check_share, check_undone
from rendezvous_demo.measurements import Loss, LossMeasured
from rendezvous_demo.observation import RendezvousSeen, Seen
from rendezvous_demo.recoveries import Recovery, measure_recovery, share
from rendezvous_demo.training_log import Step

KILLED_AT = 1000.0  # on the clock that the workers note
LOSS = Loss("node-0", "a", 1, at=50.0, clock_at=KILLED_AT, deleted=True)
MEASURED = LossMeasured(LOSS, 0, "MemberDeleted", "", 0.1, {"b": 0.2, "c": 0.3}, 0.4, (0,), world_size=2)


def a_round(number: int, *ranks: str) -> RendezvousSeen:
    store = BootstrapStore(ranks[0], "10.0.0.1", 5000 + number)
    status = RendezvousStatus(round=number, ranks=ranks, bootstrap_store=store)
    return RendezvousSeen(float(number), Rendezvous("demo", "run", "uid", "1", 1, RendezvousSpec(2, 3), status))


SEEN = Seen((a_round(1, "a", "b", "c"), a_round(2, "c", "b")))


def a_step(number: int, rank: int, pid: int, position: int, after: float) -> Step:
    """The step in that round with this position, so long after the kill."""
    where = ("10.0.0.1", 5000 + number)
    epoch, step = divmod(position, 12)
    return Step(KILLED_AT + after, rank, 4, epoch, step, 12, loss=1.0, restarts=0, master=where, pid=pid)


BEFORE = [a_step(1, rank, 10 + rank, position, -1.0) for position in (28, 29) for rank in range(3)]
KEPT = [
    a_step(2, 0, 12, 30, 0.4),
    a_step(2, 1, 11, 30, 0.5),
    a_step(2, 0, 12, 31, 0.6),
    a_step(2, 1, 11, 31, 0.7),
]
ANEW = [a_step(2, 0, 22, 24, 7.0), a_step(2, 1, 21, 24, 8.0)]


def measured(after: list[Step]) -> Recovery:
    return measure_recovery("some way", MEASURED, SEEN, [*BEFORE, *after])


def test_survivors_that_kept_their_processes() -> None:
    recovery = measured(KEPT)
    assert (recovery.told_after, recovery.stood_after, recovery.stepped_after) == (0.3, 0.4, 0.5)
    assert (recovery.pids_before, recovery.pids_after, recovery.restarted) == ((11, 12), (12, 11), 0)
    assert recovery.steps_undone == 0
    assert check_pids(recovery).holds
    assert check_undone(recovery).holds


def test_survivors_that_were_started_anew_and_went_back_to_their_checkpoint() -> None:
    recovery = measured(ANEW)
    assert (recovery.stepped_after, recovery.restarted, recovery.steps_undone) == (8.0, 2, 6)
    assert not check_pids(recovery).holds
    assert not check_undone(recovery).holds


def test_a_step_that_one_survivor_had_done_and_another_had_not_is_done_again_by_the_one() -> None:
    recovery = measured([replace(step, step=step.step - 1) for step in KEPT])
    assert recovery.steps_undone == 1
    assert check_undone(recovery).holds


@pytest.mark.parametrize("after", [[], KEPT[:1]])
def test_the_next_step_is_done_when_the_last_survivor_has_done_it(after: list[Step]) -> None:
    recovery = measured(after)
    assert recovery.stepped_after is None
    assert share(recovery, measured(ANEW)) is None
    assert not check_share(recovery, measured(ANEW)).holds
    assert not check_pids(recovery).holds


def test_one_way_takes_a_share_of_the_others_time() -> None:
    assert share(measured(KEPT), measured(ANEW)) == pytest.approx(0.5 / 8.0)
    assert check_share(measured(KEPT), measured(ANEW)).holds
    slower = replace(measured(KEPT), stepped_after=0.9)
    assert not check_share(slower, measured(ANEW)).holds
