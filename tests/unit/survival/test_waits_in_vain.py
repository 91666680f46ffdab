"""A wait that lasts although everything was cut is in vain; whoever has moved meanwhile is in another wait."""

from kube_rendezvous.survival.waits_in_vain import WaitsInVain

ONE, OTHER = "17 at 0x7f, slept 3 times", "17 at 0x7f, slept 4 times"


def waits() -> WaitsInVain:
    return WaitsInVain(seconds=5.0, looks=3)


def test_one_that_is_seen_long_and_often_enough_is_in_vain() -> None:
    its = waits()
    assert [its.see({ONE}, now) for now in (0.0, 1.0, 2.0, 4.9, 5.0)] == [False, False, False, False, True]


def test_time_in_which_nobody_looked_is_not_enough() -> None:
    its = waits()
    assert [its.see({ONE}, now) for now in (0.0, 60.0, 60.2)] == [False, False, True]


def test_a_thread_that_has_moved_begins_anew() -> None:
    its = waits()
    seen = [its.see({wait}, now) for wait, now in ((ONE, 0.0), (ONE, 4.0), (OTHER, 5.0), (OTHER, 9.0), (OTHER, 9.5))]
    assert not any(seen)
    assert its.see({OTHER}, 10.0)


def test_one_that_comes_later_or_was_missed_once_is_found_later() -> None:
    its = waits()
    moments = [(set(), 0.0), ({ONE}, 1.0), (set(), 3.0), *(({ONE}, now) for now in (4.0, 6.0, 8.0, 9.0))]
    assert [its.see(seen, now) for seen, now in moments][-1]


def test_where_another_round_stands_only_old_waits_count() -> None:
    its = waits()
    its.see({ONE}, 0.0)
    assert not any(its.see_old_ones({OTHER}, now) for now in (1.0, 2.0, 3.0, 9.0))
    assert not its


def test_an_old_wait_goes_on_to_count_beside_new_ones() -> None:
    its = waits()
    its.see({ONE}, 0.0)
    assert [its.see_old_ones({ONE, OTHER}, now) for now in (2.0, 4.0, 6.0)] == [False, False, True]
