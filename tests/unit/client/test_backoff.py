"""How long to wait before trying again."""

import pytest

from kube_rendezvous.cluster import Backoff


def test_delays_grow_fourfold_up_to_the_limit_and_are_spread_over_their_upper_half() -> None:
    backoff = Backoff(first=0.1, limit=1.0)
    for bound in (0.1, 0.4, 1.0, 1.0):
        assert bound / 2 <= backoff.next_delay() <= bound


def test_two_of_them_do_not_try_in_step() -> None:
    assert len({Backoff(first=1.0).next_delay() for _ in range(20)}) > 1


def test_after_a_success_delays_start_small_again() -> None:
    backoff = Backoff(first=0.1, limit=1.0)
    for _ in range(5):
        backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() <= 0.1


@pytest.mark.parametrize("asked", [3.0, 30.0])
def test_what_the_server_asks_for_is_the_least_even_over_the_limit(asked: float) -> None:
    assert Backoff(first=0.1, limit=1.0).next_delay(asked) == asked
