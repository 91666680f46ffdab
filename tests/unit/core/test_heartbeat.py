"""Heartbeats are spread so that all members together write at most about a hundred a second."""

import pytest

from kube_rendezvous_operator.core.heartbeat import heartbeat_interval, silence_limit


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
        pytest.param(2, 30, 10, 2, id="a shorter wish counts at once"),
    ],
)
def test_the_interval(wished: int, published: int, members: int, interval: int) -> None:
    assert heartbeat_interval(wished, published, members) == interval


def test_a_member_is_lost_after_three_intervals() -> None:
    assert silence_limit(5) == 15.0
