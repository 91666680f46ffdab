"""Beside the trainer's own thread another one waits for the news, and frees the trainer from a round that is over."""

import itertools
import time
from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.survival import group as group_module
from kube_rendezvous.survival.group import Group
from kube_rendezvous.survival.waits_in_vain import WaitsInVain
from kube_rendezvous_core.formation.formation import GROWTH, SPEC_CHANGED
from kube_rendezvous_core.liveness.pod_liveness import (
    DEVICE_UNHEALTHY,
    EVICTION_REQUESTED,
    NODE_DRAINING,
    POD_TERMINATING,
)
from unit.survival.fake_group_parts import FakeEngine, FakeSource, PeerError

SECONDS = 10.0


def test_a_trainer_that_waits_in_a_round_that_is_over_is_freed(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    with group.take_round():
        source.is_over()
        assert engine.freed.wait(SECONDS)
        raise PeerError("freed")
    assert engine.did[:2] == ["take 1", "free"]


def test_where_nobody_is_gone_its_collectives_have_time_to_end_by_themselves(
    group: Group, source: FakeSource, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "PLANNED_MOMENT_SECONDS", 1.0)
    with group.take_round():
        began = time.monotonic()
        source.is_over("Growth")
        assert engine.freed.wait(SECONDS)
        assert time.monotonic() - began >= 1.0
        raise PeerError("freed")


def test_but_not_those_that_take_it_in_because_peers_may_have_given_it_up(
    group: Group, source: FakeSource, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "PLANNED_MOMENT_SECONDS", 10 * SECONDS)

    def connects_to_one_that_has_given_up(number: int, given_up: Callable[[], bool]) -> None:
        if number == 1:
            source.is_over("Growth")
            assert engine.freed.wait(SECONDS)
            raise PeerError("freed")

    engine.on_take_in = connects_to_one_that_has_given_up
    assert group.take_round().number == 2


def test_the_reasons_for_which_nobody_is_gone_are_the_operators() -> None:
    assert {GROWTH, SPEC_CHANGED, NODE_DRAINING, POD_TERMINATING, EVICTION_REQUESTED, DEVICE_UNHEALTHY} == (
        group_module.NOBODY_IS_GONE
    )


def test_it_is_freed_again_until_it_comes_out(group: Group, source: FakeSource, engine: FakeEngine) -> None:
    with group.take_round():
        source.is_over()
        eventually(lambda: engine.did.count("free") >= 2, "freed twice", SECONDS)
        raise PeerError("freed")


class TestWhoWaitsInVain:
    """A thread that waits on although every connection has been cut."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(group_module, "_AGAIN_SECONDS", 0.01)
        monkeypatch.setattr(group_module, "WaitsInVain", lambda _, __: WaitsInVain(0.1, 5))

    def freed_often(self, engine: FakeEngine) -> None:
        eventually(lambda: engine.did.count("free") >= 40, "freed often", SECONDS)

    def test_says_so_once(self, group: Group, source: FakeSource, engine: FakeEngine) -> None:
        engine.waits = lambda: frozenset({"17 at 0x7f until 0x8f"})
        with group.take_round() as current:
            source.is_over()
            self.freed_often(engine)
            raise PeerError("the collective timeout")
        assert source.stuck_in == [current.number]

    def test_one_wait_after_the_other_is_none(self, group: Group, source: FakeSource, engine: FakeEngine) -> None:
        numbers = itertools.count()
        engine.waits = lambda: frozenset({f"17 at {next(numbers)}"})
        with group.take_round():
            source.is_over()
            self.freed_often(engine)
            raise PeerError("freed")
        assert source.stuck_in == []

    def test_a_thread_beside_the_trainers_that_has_come_out_says_so_too(
        self, group: Group, source: FakeSource, engine: FakeEngine
    ) -> None:
        old = "17 at 0x7f, slept 3 times"
        engine.waits = lambda: frozenset({old})
        with group.take_round() as first:
            source.is_over()
            eventually(lambda: engine.did.count("free") >= 2, "freed", SECONDS)
            raise PeerError("its own collective")
        engine.waits = lambda: frozenset({old, "18 at 0x80, slept 7 times"})
        group.take_round()
        eventually(lambda: source.stuck_in == [first.number], "said", SECONDS)

    def test_waits_of_the_next_round_are_none(self, group: Group, source: FakeSource, engine: FakeEngine) -> None:
        engine.waits = lambda: frozenset({"17 at 0x7f, slept 3 times"})
        with group.take_round():
            source.is_over()
            eventually(lambda: engine.did.count("free") >= 2, "freed", SECONDS)
            raise PeerError("freed")
        engine.waits = lambda: frozenset({"17 at 0x7f, slept 4 times"})
        group.take_round()
        eventually(lambda: not group._waits, "looked again", SECONDS)
        assert source.stuck_in == []

    def test_a_trainer_that_computes_is_waited_for(self, group: Group, source: FakeSource, engine: FakeEngine) -> None:
        with group.take_round():
            source.is_over()
            self.freed_often(engine)
            raise PeerError("freed")
        assert source.stuck_in == []


def test_an_engine_that_waits_for_peers_of_a_round_that_is_over_is_freed(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    def stuck_once(number: int, given_up: Callable[[], bool]) -> None:
        if number == 1:
            source.is_over()
            assert engine.freed.wait(SECONDS)
            raise PeerError("freed")

    engine.on_take_in = stuck_once
    assert group.take_round().number == 2


def test_a_trainer_that_comes_out_by_itself_is_not_freed(group: Group, source: FakeSource, engine: FakeEngine) -> None:
    for _ in range(20):
        with group.take_round() as current:
            source.is_over()
            current.check()
    assert "free" not in engine.did


def test_nothing_is_freed_in_the_next_round(group: Group, source: FakeSource, engine: FakeEngine) -> None:
    with group.take_round():
        source.is_over()
        assert engine.freed.wait(SECONDS)
        raise PeerError("freed")
    freed, waits = engine.did.count("free"), source.waits
    group.take_round()
    eventually(lambda: source.waits > waits, "the other thread waits for news of the next round", SECONDS)
    assert engine.did.count("free") == freed
    assert engine.did[-1] == "take 2"


def test_the_end_of_a_later_round_ends_this_one_as_well(group: Group, source: FakeSource, engine: FakeEngine) -> None:
    with group.take_round():
        source.held = 3  # rounds 2 and 3 came and went before this worker heard of it
        source.is_over()
        assert engine.freed.wait(SECONDS)
        raise PeerError("freed")


def test_a_source_that_has_ended_is_not_asked_over_and_over(group: Group, source: FakeSource) -> None:
    group.take_round()
    source.leave()
    began, counted = time.monotonic(), source.waits
    eventually(lambda: source.waits >= counted + 3, "it is asked again", SECONDS)
    assert time.monotonic() - began > 0.3


def test_what_nobody_has_thought_of_does_not_end_the_thread_that_frees_the_trainer(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    asked = itertools.count()

    def fails_at_first() -> frozenset[str]:
        if next(asked) < 3:
            raise OSError(24, "Too many open files")
        return frozenset()

    engine.waits = fails_at_first
    with group.take_round():
        source.is_over()
        assert engine.freed.wait(SECONDS)
        raise PeerError("freed")
    assert next(asked) > 3
