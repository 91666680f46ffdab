"""What `kube-rendezvous run` does next."""

from signal import SIGINT, SIGTERM

import pytest

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.standing_round import StandingRound
from kube_rendezvous.trainer_process.lifecycle import (
    Action,
    End,
    Event,
    Exit,
    GraceOver,
    Join,
    Kill,
    Leave,
    NoRound,
    Phase,
    Policy,
    RoundFormed,
    Say,
    Signalled,
    Start,
    State,
    Told,
    TrainerEnded,
    step,
)


def formed(number: int = 1) -> RoundFormed:
    return RoundFormed(StandingRound("ns", "run", number, 0, 2, "10.0.0.7", 4000))


def told(number: int = 1) -> Told:
    return Told(Interruption(number, "HeartbeatLost", "node-1 is lost"))


def run(*events: Event, policy: Policy = Policy()) -> tuple[State, list[Action]]:  # noqa: B008 - frozen
    """What comes of these events, without what is only said."""
    state, actions = State(), []
    for event in events:
        state, todo = step(state, event, policy)
        actions += [action for action in todo if not isinstance(action, Say)]
    return state, actions


class TestRounds:
    def test_a_round_starts_the_trainer(self) -> None:
        assert run(formed())[1] == [Start(formed().standing)]

    def test_a_round_that_is_over_ends_it_and_its_end_joins_again(self) -> None:
        state, actions = run(formed(), told(), TrainerEnded(143))
        assert actions[1:] == [End(SIGTERM), Join()]
        assert state.phase is Phase.JOINING

    def test_the_next_round_starts_it_again(self) -> None:
        assert run(formed(1), told(1), TrainerEnded(0), formed(2))[1][-1] == Start(formed(2).standing)

    def test_news_of_an_older_round_stops_nothing(self) -> None:
        state, actions = run(formed(1), told(1), TrainerEnded(0), formed(2), told(1))
        assert state.phase is Phase.RUNNING
        assert actions[-1] == Start(formed(2).standing)

    def test_a_trainer_that_does_not_end_in_time_is_killed(self) -> None:
        assert run(formed(), told(), GraceOver())[1][-1] == Kill()

    def test_a_new_round_costs_no_restart(self) -> None:
        events = [event for n in range(1, 20) for event in (formed(n), told(n), TrainerEnded(1))]
        state, actions = run(*events)
        assert state.failures == 0
        assert actions[-1] == Join()


class TestTheTrainersEnd:
    def test_success_closes_as_torchrun_does(self) -> None:
        assert run(formed(), TrainerEnded(0))[1][1:] == [Leave(close=True), Exit(0)]

    def test_failure_leaves_with_its_status(self) -> None:
        assert run(formed(), TrainerEnded(3))[1][1:] == [Leave(close=False), Exit(3)]

    def test_failure_closes_if_that_is_asked_for(self) -> None:
        ended = run(formed(), TrainerEnded(3), policy=Policy(close_on_failure=True))[1]
        assert ended[1:] == [Leave(close=True), Exit(3)]

    def test_failure_joins_again_while_restarts_are_left(self) -> None:
        twice = (formed(1), TrainerEnded(3), formed(2), TrainerEnded(4))
        assert run(*twice, policy=Policy(max_restarts=2))[1][-1] == Join()
        assert run(*twice, policy=Policy(max_restarts=1))[1][-1] == Exit(4)


class TestSignals:
    def test_while_it_waits_it_leaves(self) -> None:
        assert run(Signalled(SIGTERM))[1] == [Leave(close=False), Exit(143)]

    @pytest.mark.parametrize("status", [0, 7, 143])
    def test_is_handed_on_and_the_trainers_status_counts(self, status: int) -> None:
        actions = run(formed(), Signalled(SIGINT), TrainerEnded(status))[1]
        assert actions[1:] == [End(SIGINT), Leave(close=False), Exit(status)]

    def test_the_second_one_kills(self) -> None:
        assert run(formed(), Signalled(SIGTERM), Signalled(SIGTERM))[1][-1] == Kill()

    def test_while_the_trainer_is_stopped_for_a_new_round_it_does_not_join_again(self) -> None:
        actions = run(formed(), told(), Signalled(SIGTERM), TrainerEnded(0))[1]
        assert actions[2:] == [Leave(close=False), Exit(143)]  # 0 would say that the work is done

    def test_restarts_do_not_keep_it_from_ending(self) -> None:
        ended = run(formed(), Signalled(SIGTERM), TrainerEnded(1), policy=Policy(max_restarts=5))[1]
        assert ended[-1] == Exit(1)


class TestNoRound:
    def test_ends_it_with_the_status_for_the_reason(self) -> None:
        assert run(NoRound(79, "closed"))[1] == [Leave(close=False), Exit(79)]

    @pytest.mark.parametrize(
        "late", [formed(), told(), TrainerEnded(0), GraceOver(), Signalled(SIGTERM), NoRound(1, "")]
    )
    def test_nothing_happens_after_the_end(self, late: Event) -> None:
        state, actions = run(NoRound(79, "closed"), late)
        assert state.phase is Phase.ENDED
        assert actions[-1] == Exit(79)
