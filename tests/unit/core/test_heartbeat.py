"""Heartbeats are spread so that all members together write at most about a hundred a second."""

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from kube_rendezvous_core.liveness.heartbeat import HeartbeatBudget, heartbeat_interval, silence_limit
from kube_rendezvous_core.liveness.heartbeat_shares import fair_level, heartbeat_shares


@pytest.mark.parametrize(
    ("wished", "published", "members", "interval"),
    [
        pytest.param(5, 0, 1, 5, id="few members: the wish"),
        pytest.param(5, 0, 500, 5, id="just bearable"),
        pytest.param(5, 0, 501, 10, id="one too many: doubled"),
        pytest.param(5, 0, 10_000, 160, id="ten thousand members"),
        pytest.param(5, 10, 450, 10, id="near the border it does not shrink at once"),
        pytest.param(5, 10, 400, 5, id="clearly below the border it shrinks"),
        pytest.param(30, 5, 10, 30, id="a longer wish counts at once"),
        pytest.param(2, 30, 10, 15, id="a shorter wish is approached by halves"),
        pytest.param(2, 3, 10, 2, id="and reached"),
    ],
)
def test_the_interval(wished: int, published: int, members: int, interval: int) -> None:
    assert heartbeat_interval(wished, published, members) == interval


@pytest.mark.parametrize(("held_for", "interval"), [(0.0, 30), (59.9, 30), (60.0, 15)])
def test_it_shrinks_only_when_nobody_can_be_in_the_middle_of_a_longer_pause(held_for: float, interval: int) -> None:
    assert heartbeat_interval(5, 30, 10, HeartbeatBudget(held_for=held_for)) == interval


@pytest.mark.parametrize("published", range(2, 641))
def test_who_sleeps_out_the_old_pause_is_heard_before_three_new_intervals_are_over(published: int) -> None:
    assert silence_limit(heartbeat_interval(1, published, 10)) > published


@pytest.mark.parametrize(
    ("share", "interval"),
    [(100.0, 5), (1.6, 5), (1.5, 10), (0.1, 10), (0.0, 10)],
)
def test_others_at_most_double_it(share: float, interval: int) -> None:
    assert heartbeat_interval(5, 0, 8, HeartbeatBudget(share=share)) == interval


def test_whoever_brings_many_members_makes_his_own_heartbeats_rarer_and_not_those_of_other_namespaces() -> None:
    shares = heartbeat_shares({("noisy", "run"): 2100, ("quiet", "run"): 8, ("quiet", "other"): 100})
    assert heartbeat_interval(5, 0, 2100, HeartbeatBudget(share=shares["noisy", "run"])) == 40
    assert heartbeat_interval(5, 0, 8, HeartbeatBudget(share=shares["quiet", "run"])) == 5
    assert heartbeat_interval(5, 0, 100, HeartbeatBudget(share=shares["quiet", "other"])) == 5


def test_nor_those_of_small_rendezvous_of_his_own_namespace() -> None:
    shares = heartbeat_shares({("ns", "noisy"): 2100, ("ns", "run"): 8})
    assert heartbeat_interval(5, 0, 8, HeartbeatBudget(share=shares["ns", "run"])) == 5


def test_where_there_is_room_a_short_wish_is_fulfilled() -> None:
    shares = heartbeat_shares({("ns", "run"): 3, ("ns", "other"): 50})
    assert heartbeat_interval(1, 0, 3, HeartbeatBudget(share=shares["ns", "run"])) == 1


@given_any(st.dictionaries(st.integers(0, 30), st.floats(0, 1000), max_size=20), st.floats(0, 1000))
def test_at_the_fair_level_all_is_divided_and_no_more(wanted: dict[int, float], amount: float) -> None:
    level = fair_level(wanted, amount)
    taken = sum(min(wish, level) for wish in wanted.values())
    assert taken == pytest.approx(min(amount, sum(wanted.values())))


def test_a_member_is_lost_after_three_intervals() -> None:
    assert silence_limit(5) == 15.0
