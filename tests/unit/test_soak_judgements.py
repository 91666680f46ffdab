"""The soak finds what is wrong: its judgements, on what could have been counted."""

import re

import pytest

from soak.judgements import Sample, Standing, disorder, growth, leftovers
from soak.plan import Blow, Plan

ALL_WELL = [Standing("0", 7, "a"), Standing("1", 7, "b")]


def life(pid: int, *mib: float) -> list[Sample]:
    """A sample each second after the warm-up."""
    return [Sample(pid, 20.0 + second, value) for second, value in enumerate(mib)]


def test_when_everybody_runs_in_the_newest_round_all_is_well() -> None:
    assert disorder(ALL_WELL, 7, ["b", "a"], ["a", "b"]) == []


@pytest.mark.parametrize(
    ("standing", "ranks", "objects", "sentence"),
    [
        ([Standing("0", 7, "a"), Standing("1", 6, "b")], ["a", "b"], ["a", "b"], "place 1 .b. runs in round 6"),
        ([Standing("0", 7, "a"), Standing("1", 0, "b")], ["a", "b"], ["a", "b"], "place 1 .b. runs in round 0"),
        ([Standing("0", 7, "a"), Standing("1", 7, "b", "Boom()")], ["a", "b"], ["a", "b"], "place 1 ended with Boom"),
        (ALL_WELL, ["a", "ghost"], ["a", "b"], "ranks .'a', 'ghost'."),
        (ALL_WELL, ["a"], ["a", "b"], "ranks .'a'., and .'a', 'b'. live"),
        (ALL_WELL, ["a", "b"], ["a", "b", "ghost"], "objects of nobody: .'ghost'."),
    ],
)
def test_a_member_that_hangs_died_or_haunts_is_named(
    standing: list[Standing], ranks: list[str], objects: list[str], sentence: str
) -> None:
    (found,) = disorder(standing, 7, ranks, objects)
    assert re.search(sentence, found)


def test_memory_that_stays_within_what_an_allocator_does_is_flat() -> None:
    grown = growth(life(1, *[60 + 0.1 * second for second in range(30)]))
    assert grown is not None
    assert grown.flat


def test_memory_that_grows_is_not_flat() -> None:
    grown = growth(life(1, *[60 + second for second in range(30)]))
    assert grown is not None
    assert not grown.flat


def test_memory_is_judged_by_the_operator_that_lived_longest_after_its_warm_up() -> None:
    start = [Sample(2, float(second), 10 * second) for second in range(20)]
    grown = growth([*life(1, *range(15)), *start, *life(2, *[60.0] * 40)])
    assert grown is not None
    assert (grown.first, grown.last) == (60, 60)


def test_nothing_is_said_of_lives_too_short_to_tell() -> None:
    assert growth(life(1, 60, 90)) is None
    assert growth([]) is None


def test_what_was_not_there_before_is_left_over_and_so_is_a_second_of_the_same_name() -> None:
    assert leftovers("a thread is", ["main", "watch"], ["main", "watch"]) == []
    assert leftovers("a thread is", ["main", "watch"], ["main"]) == []
    assert leftovers("a thread is", ["main"], ["main", "heartbeat"]) == ["a thread is left over: heartbeat"]
    assert leftovers("a thread is", ["watch"], ["watch", "watch"]) == ["a thread is left over: watch"]


def test_a_seed_gives_the_same_blows_again() -> None:
    first, second = (Plan(3, 16, 5, proxy=True).stretch(frozenset(range(16)), restarts=True) for _ in range(2))
    assert first == second


def test_a_plan_strikes_only_who_is_there_and_leaves_enough_for_a_round() -> None:
    plan, taken = Plan(1, 8, 5, proxy=True), set(range(8))
    for _ in range(300):
        for step in plan.stretch(frozenset(taken), restarts=True):
            if step.blow is Blow.ARRIVAL:
                assert step.place not in taken
                taken.add(step.place)
            elif step.place >= 0:
                assert step.place in taken
                if step.blow is not Blow.DELETION:
                    taken.remove(step.place)
            assert len(taken) >= 5


def test_an_operator_whose_memory_shall_tell_is_not_restarted() -> None:
    plan = Plan(1, 16, 5, proxy=True)
    blows = {step.blow for _ in range(100) for step in plan.stretch(frozenset(range(10)), restarts=False)}
    assert not blows & {Blow.OPERATOR_KILL, Blow.OPERATOR_RESTART}
    assert Blow.OPERATOR_FREEZE in blows
