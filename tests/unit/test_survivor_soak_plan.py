"""The schedules of the survivors' soak."""

import pytest

from survivor_soak.plan import GUEST, NODES, WORKERS, Act, Blow, Schedule, schedule

SEEDS = range(500)


@pytest.fixture(scope="module")
def schedules() -> list[Schedule]:
    return [schedule(seed) for seed in SEEDS]


def test_the_same_seed_makes_the_same_schedule(schedules: list[Schedule]) -> None:
    assert [schedule(seed) for seed in SEEDS] == schedules


def test_every_act_comes_up(schedules: list[Schedule]) -> None:
    of_two_blows = {Act.KILL_TWO_NODES, Act.KILL_TWO_WORKERS}
    assert {blow.act for each in schedules for blow in each.blows} == set(Act) - of_two_blows


def test_nothing_is_done_to_the_worker_that_is_spared(schedules: list[Schedule]) -> None:
    assert not any(each.touches(*each.spared) for each in schedules)


def test_what_is_stopped_goes_on_and_what_is_lost_comes_back(schedules: list[Schedule]) -> None:
    follows = {
        Act.KILL_NODE: Act.START_NODE,
        Act.KILL_LAUNCHER: Act.START_NODE,
        Act.END_NODE: Act.START_NODE,
        Act.STOP_NODE: Act.CONTINUE_NODE,
        Act.STOP_WORKER: Act.CONTINUE_WORKER,
    }
    for each in schedules:
        for blow in each.blows:
            if blow.act in follows:
                later = [other for other in each.blows if other.at >= blow.at]
                assert any(
                    (one.act, one.node, one.worker) == (follows[blow.act], blow.node, blow.worker) for one in later
                )


def test_blows_come_in_the_order_of_time_and_hit_workers_that_are_there(schedules: list[Schedule]) -> None:
    for each in schedules:
        assert [blow.at for blow in each.blows] == sorted(blow.at for blow in each.blows)
        assert all(blow.node < NODES and blow.worker < WORKERS for blow in each.blows)


def test_the_guest_that_goes_may_come_again_as_another_process() -> None:
    coming_and_going = Schedule(0, (Blow(0.0, Act.ADD_NODE), Blow(0.4, Act.ADD_NODE)), (0, 0))
    assert coming_and_going.touches(GUEST, 1)
    assert not coming_and_going.touches(1, 1)
