"""A group takes rounds in, one after the other, and knows a peer's failure from the trainer's own."""

import signal
import threading
from collections.abc import Callable

import pytest
import torch

from integration.handlers.eventually import eventually
from kube_rendezvous.api import RendezvousClosedError
from kube_rendezvous.survival import torch_state
from kube_rendezvous.survival.errors import RoundOverError, TakeInError
from kube_rendezvous.survival.group import Group
from unit.raising_signals import SignalError, again_and_again, raising_signal
from unit.survival.fake_group_parts import FakeEngine, FakeSource, PeerError, Progress

SECONDS = 10.0
TIMES = 500


def wait_for(given_up: Callable[[], bool]) -> None:
    """As an engine waits for peers."""
    eventually(given_up, "the round is given up", SECONDS)
    raise RoundOverError("the round is over before all were there")


def test_a_round_is_taken_in_and_its_owner_told(group: Group, source: FakeSource, progress: Progress) -> None:
    progress.steps = 7
    taken = group.take_round()
    assert group.round is taken
    assert (taken.number, taken.rank, taken.world_size, taken.changed()) == (1, 0, 2, False)
    assert taken.roster.entries[0].progress == 7
    assert source.took_in == [1]


def test_the_listening_socket_is_closed_when_the_round_was_taken_in(group: Group, source: FakeSource) -> None:
    group.take_round()
    assert [one.fileno() for one in source.sockets] == [-1]


@pytest.mark.parametrize("error", [None, PeerError("Connection closed by peer"), ValueError("anything")], ids=repr)
def test_a_round_that_is_replaced_while_it_is_taken_in_is_given_up_for_the_next(
    group: Group, source: FakeSource, engine: FakeEngine, error: Exception | None
) -> None:
    def replaced_twice(number: int, given_up: Callable[[], bool]) -> None:
        if number < 3:
            source.is_over()
            if error is not None:
                raise error
            wait_for(given_up)

    engine.on_take_in = replaced_twice
    assert group.take_round().number == 3
    assert source.took_in == [3]
    assert [one for one in engine.did if one != "free"] == ["take 1", "leave", "take 2", "leave", "take 3"]
    assert [one.fileno() for one in source.sockets] == [-1] * 3


def test_peers_that_cannot_be_reached_are_tried_in_some_rounds_only(group: Group, engine: FakeEngine) -> None:
    def unreachable(number: int, given_up: Callable[[], bool]) -> None:
        raise PeerError(f"Connection refused in round {number}")

    engine.on_take_in = unreachable
    with pytest.raises(TakeInError, match=r"3 rounds in a row could not be taken in.*Connection refused in round 3"):
        group.take_round()


def test_an_error_of_the_engine_itself_is_not_tried_again(group: Group, engine: FakeEngine) -> None:
    def broken(number: int, given_up: Callable[[], bool]) -> None:
        raise AttributeError("no such name")

    engine.on_take_in = broken
    with pytest.raises(AttributeError, match="no such name"):
        group.take_round()
    assert engine.did == ["take 1"]


def test_there_is_no_other_round_when_the_source_says_so(group: Group, source: FakeSource) -> None:
    source.last_round = 1
    group.take_round()
    with pytest.raises(RendezvousClosedError):
        group.take_round()


def test_a_peers_error_ends_the_block_and_peers_that_wait_know_at_once(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    with group.take_round() as current:
        threading.Timer(0.01, source.is_over).start()
        raise PeerError("Connection closed by peer")
    assert current.changed()
    assert engine.did == ["take 1", "leave"]
    assert group.take_round().number == 2


@pytest.mark.parametrize("error", [RuntimeError("Expected all tensors"), KeyError("x"), KeyboardInterrupt()], ids=repr)
def test_the_trainers_own_errors_go_through(group: Group, error: BaseException) -> None:
    with pytest.raises(type(error)), group.take_round():
        raise error


def test_what_a_signals_handler_raises_goes_through_whatever_becomes_of_the_round(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    """Also a ValueError, which would be a peer's in a round that is over."""

    def replaced_at_the_signal(number: int, given_up: Callable[[], bool]) -> None:
        if number == 2:
            source.is_over()
            signal.raise_signal(signal.SIGUSR1)

    engine.on_take_in = replaced_at_the_signal
    with raising_signal():
        current = group.take_round()
        source.is_over()
        with pytest.raises(SignalError), current:
            signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(SignalError):
            group.take_round()


def test_any_runtime_error_is_a_peers_when_the_round_is_known_to_be_over(group: Group, source: FakeSource) -> None:
    with group.take_round() as current:
        source.is_over()
        raise RuntimeError("in words that nobody has foreseen")
    assert current.changed()


def test_a_bug_of_the_trainer_is_one_even_when_the_round_is_over(group: Group, source: FakeSource) -> None:
    current = group.take_round()
    source.is_over()
    with pytest.raises(KeyError), current:
        raise KeyError("x")


def test_check_ends_the_block_of_a_round_that_is_over_and_says_why(group: Group, source: FakeSource) -> None:
    current = group.take_round()
    current.check()
    source.is_over()
    with pytest.raises(RoundOverError, match="round 1 is over: node-1 is lost"):
        current.check()
    with current:
        current.check()
        raise AssertionError("the block goes on")


def test_a_step_whose_collectives_were_cut_off_is_not_confirmed(group: Group, engine: FakeEngine) -> None:
    current = group.take_round()
    current.confirm()
    engine.freed.set()
    with current:
        current.confirm()
        pytest.fail("its gradients would be garbage")
    assert current.broken


def test_a_block_that_was_left_for_the_next_round_is_not_done_whoever_left_it(group: Group, engine: FakeEngine) -> None:
    def no_end(given_up: Callable[[], bool]) -> bool:
        raise AssertionError("the work was not done")

    engine.on_agree = no_end
    rounds = iter(group)
    with next(rounds):
        raise RoundOverError("the trainer wants another one")
    assert next(rounds).number == 2
    engine.on_agree = lambda given_up: True


def test_the_loop_ends_when_all_are_done(group: Group) -> None:
    assert [current.number for current in group] == [1]


@pytest.mark.parametrize("ending", ["leave", "close"])
def test_who_is_done_has_said_so_before_anything_is_taken_down(
    source: FakeSource, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def fails() -> None:
        assert source.was_told_done
        raise OSError(ending)

    group = Group(source, engine, progress=lambda: 0, news_timeout=0.05)
    assert len(list(group)) == 1
    monkeypatch.setattr(engine, ending, fails)
    with pytest.raises(OSError, match=ending):
        group.__exit__(None, None, None)
    assert source.ended == "finished"


def test_there_is_no_round_after_the_loop(group: Group) -> None:
    assert len(list(group)) == 1
    with pytest.raises(RendezvousClosedError, match="belongs in the body of the loop"):
        group.take_round()


def test_the_loop_goes_on_when_not_all_are_done(group: Group, engine: FakeEngine) -> None:
    answers = iter([False, False, True])
    engine.on_agree = lambda given_up: next(answers)
    assert [current.number for current in group] == [1, 2, 3]


def test_the_loop_goes_on_when_a_peer_is_lost_while_the_end_is_agreed_on(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    def lost_once(given_up: Callable[[], bool]) -> bool:
        if source.held == 1:
            source.is_over()
            raise PeerError("the store is gone")
        return True

    engine.on_agree = lost_once
    assert [current.number for current in group] == [1, 2]


def test_the_loop_goes_on_after_a_loss_without_asking_whether_all_are_done(
    group: Group, source: FakeSource, engine: FakeEngine
) -> None:
    numbers = []
    for current in group:
        with current:
            numbers.append(current.number)
            if current.number < 3:
                source.is_over()
                current.check()
    assert numbers == [1, 2, 3]


def fail_until_it_goes_through(group: Group, progress: Progress, steps_between: int) -> int:
    """A network that is cut: collectives fail, and nobody is lost. Count the rounds until the error goes through."""
    for count in range(1, 20):
        try:
            with group.take_round():
                raise PeerError("Connection reset by peer")
        except PeerError:
            return count
        progress.steps += steps_between
    return 20


def test_failures_that_nobody_explains_are_worth_some_rounds_only(group: Group, progress: Progress) -> None:
    assert fail_until_it_goes_through(group, progress, 0) == 4


def test_they_are_worth_more_while_there_is_progress(group: Group, progress: Progress) -> None:
    assert fail_until_it_goes_through(group, progress, 1) == 20


def test_who_ends_with_an_error_leaves_and_who_ends_well_finishes(source: FakeSource, engine: FakeEngine) -> None:
    for error, how in ((None, "finished"), (KeyError("x"), "left")):
        group = Group(source, engine, progress=lambda: 0, news_timeout=0.05)
        group.take_round()
        group.__exit__(type(error) if error else None, error, None)
        assert source.ended == how
    assert engine.did == ["take 1", "leave", "close", "take 2", "leave", "close"]


def test_who_breaks_out_of_the_loop_waits_for_the_others(source: FakeSource, engine: FakeEngine) -> None:
    asked: list[bool] = []
    engine.on_agree = lambda given_up: bool(asked.append(given_up()) or True)
    with Group(source, engine, progress=lambda: 0, news_timeout=0.05) as group:
        for _ in group:
            break
    assert (asked, source.ended) == ([False], "finished")


def test_who_breaks_out_while_the_others_go_on_leaves_and_closes_nothing(
    source: FakeSource, engine: FakeEngine
) -> None:
    engine.on_agree = lambda given_up: False
    with Group(source, engine, progress=lambda: 0, news_timeout=0.05) as group:
        for _ in group:
            break
    assert source.ended == "left"


def test_its_thread_ends_with_it(source: FakeSource, engine: FakeEngine) -> None:
    before = set(threading.enumerate())
    with Group(source, engine, progress=lambda: 0, news_timeout=0.05) as group:
        (listener,) = set(threading.enumerate()) - before
        group.take_round()
    listener.join(SECONDS)
    assert not listener.is_alive()


def test_a_signal_whose_handler_raises_while_a_round_is_left_keeps_nobody_from_the_next(
    group: Group, source: FakeSource, interrupted: Callable[[Callable[[], object]], bool]
) -> None:
    group.take_round()
    for _ in range(TIMES):
        assert interrupted(again_and_again(group._leave))
    source.is_over()
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.append(group.take_round().number), daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert taken == [2]


class TestANewcomer:
    @pytest.fixture(autouse=True)
    def beside_a_survivor(self, engine: FakeEngine, progress: Progress) -> None:
        engine.peers_progress, progress.steps = 150, 200  # by a checkpoint of another run, say

    def test_is_one_until_the_state_that_it_lacks_is_there(
        self, group: Group, source: FakeSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lost(*_: object) -> bytes:
            raise PeerError("Connection closed by peer")

        monkeypatch.setattr(torch_state, "group_device", lambda: torch.device("cpu"))
        monkeypatch.setattr(torch_state, "_broadcast_bytes", lost)
        for _ in range(2):
            with group.take_round() as current:
                assert current.roster.newcomers == (0,)
                assert (current.state_source, current.lacks_state) == (1, True)
                source.is_over()
                torch_state.share_state(current)
        monkeypatch.setattr(torch_state, "_broadcast_bytes", lambda *_: torch_state._pickled([]))
        with group.take_round() as current:
            assert torch_state.share_state(current)
        source.is_over()
        assert group.take_round().roster.newcomers == ()

    def test_that_shares_in_a_way_of_its_own_is_one_in_its_first_round(self, group: Group, source: FakeSource) -> None:
        assert group.take_round().roster.newcomers == (0,)
        source.is_over()
        assert group.take_round().roster.newcomers == ()
