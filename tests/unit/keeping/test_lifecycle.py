"""What `kube-rendezvous run --keep-survivors` does next."""

from signal import SIGINT, SIGTERM

import pytest

from kube_rendezvous.keeping.happenings import (
    Action,
    Asked,
    EndAll,
    Event,
    Exit,
    GiveRound,
    GraceOver,
    Join,
    KillAll,
    KillWorker,
    Leave,
    LimitOver,
    NoRound,
    Remind,
    RoundFormed,
    SaidDone,
    SaidStuck,
    Say,
    Signalled,
    Spawn,
    StartLimit,
    StepAside,
    StillGathering,
    TellNoMore,
    TellOver,
    Told,
    TookRound,
    WorkerEnded,
)
from kube_rendezvous.keeping.lifecycle import Doing, Phase, Policy, State, first_step, step
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.standing_round import StandingRound

POLICY = Policy(max_restarts=3)


def standing(number: int = 1) -> StandingRound:
    return StandingRound("ns", "run", number, 0, 2, "10.0.0.7", 4000)


def formed(number: int = 1) -> RoundFormed:
    return RoundFormed(standing(number))


def told(number: int = 1) -> Told:
    return Told(Interruption(number, "HeartbeatLost", "node-1 is lost"))


def both_ask(after: int = 0) -> tuple[Event, Event]:
    return Asked(0, after), Asked(1, after)


def both_took(number: int = 1) -> tuple[Event, Event]:
    return TookRound(0, number), TookRound(1, number)


BOTH_WORK = (*both_ask(), formed(), *both_took())
BOTH_ENDED = (WorkerEnded(0, 0), WorkerEnded(1, 0))
NO_MORE = NoRound(79, "the rendezvous is closed", closed=True)


def run(*events: Event, policy: Policy = POLICY) -> tuple[State, list[Action]]:
    """Where a node with two workers is after these events, and what the last one led to; without what is only said."""
    state, actions = first_step(2)
    for event in events:
        state, actions = step(state, event, policy)
    return state, [action for action in actions if not isinstance(action, Say | Remind)]


def after(*events: Event, policy: Policy = POLICY) -> list[Action]:
    """What the last of these events leads to."""
    return run(*events, policy=policy)[1]


def said(*events: Event, policy: Policy = POLICY) -> str:
    """What is said about the last of these events."""
    state, actions = first_step(2)
    for event in events:
        state, actions = step(state, event, policy)
    return "; ".join(action.text for action in actions if isinstance(action, Say))


class TestJoining:
    def test_all_workers_are_started_first(self) -> None:
        assert after() == [Spawn(0), Spawn(1)]

    def test_a_node_joins_when_every_worker_has_asked_for_a_round(self) -> None:
        assert after(Asked(1, 0)) == []
        assert after(Asked(1, 0), Asked(0, 0)) == [Join()]

    def test_a_node_whose_workers_never_ask_says_which_ones(self) -> None:
        assert "workers [0] have not asked for a round yet" in said(Asked(1, 0), StillGathering())
        assert "have not asked" not in said(*both_ask(), StillGathering())

    def test_a_round_is_given_to_all_workers_with_a_limit_for_taking_it_in(self) -> None:
        assert after(*both_ask(), formed()) == [GiveRound(0, standing()), GiveRound(1, standing()), StartLimit(1)]


class TestARoundThatIsOver:
    def test_workers_are_told_and_the_node_joins_again_at_once(self) -> None:
        assert after(*BOTH_WORK, told()) == [TellOver(told().why), Join()]

    def test_no_worker_is_stopped_or_started(self) -> None:
        state, _ = run(*BOTH_WORK, told(), *both_ask(1), formed(2), *both_took(2))
        assert [worker.doing for worker in state.workers] == [Doing.WORKING, Doing.WORKING]

    def test_the_next_one_is_given_to_each_worker_when_it_asks(self) -> None:
        assert after(*BOTH_WORK, told(), Asked(0, 1), formed(2)) == [GiveRound(0, standing(2)), StartLimit(2)]
        assert after(*BOTH_WORK, told(), Asked(0, 1), formed(2), Asked(1, 1)) == [GiveRound(1, standing(2))]

    def test_news_of_an_older_one_changes_nothing(self) -> None:
        assert after(*BOTH_WORK, told(), *both_ask(1), formed(2), told(1)) == []

    def test_news_come_once(self) -> None:
        assert after(*BOTH_WORK, told(), told()) == []

    def test_one_that_took_an_older_round_in_does_not_work_in_the_present_one(self) -> None:
        state, _ = run(*BOTH_WORK, told(), *both_ask(1), formed(2), TookRound(0, 1))
        assert state.workers[0].doing is Doing.TAKING_IN


class TestARendezvousThatWasCreatedAnew:
    """It counts its rounds from 1 again, and no worker takes a round for new that is none by its number."""

    COUNTED_ANEW = (*BOTH_WORK, told(), *both_ask(1), formed(2), *both_took(2), told(2), *both_ask(2), formed(1))

    def test_workers_that_would_wait_for_a_later_number_are_started_again(self) -> None:
        assert after(*self.COUNTED_ANEW) == [KillWorker(0), KillWorker(1), StartLimit(1)]
        assert "worker 0 was in round 2, and rounds are counted anew" in said(*self.COUNTED_ANEW)

    def test_that_is_no_failure_of_theirs(self) -> None:
        ended = (*self.COUNTED_ANEW, WorkerEnded(0, 137), WorkerEnded(1, 137))
        assert Spawn(1) in after(*ended, policy=Policy(max_restarts=0))
        assert run(*ended)[0].failures == 0


class TestAWorkerThatAsksAgain:
    def test_takes_everybody_to_a_new_round(self) -> None:
        over, join = after(*BOTH_WORK, Asked(0, 1))
        assert isinstance(over, TellOver)
        assert (over.why.round, over.why.reason) == (1, "WorkerAsksAgain")
        assert join == Join()

    def test_is_given_the_round_that_stands_if_it_has_not_had_it(self) -> None:
        assert after(*BOTH_WORK, told(), Asked(1, 1), formed(2), Asked(0, 1)) == [GiveRound(0, standing(2))]

    def test_does_not_make_the_node_join_twice(self) -> None:
        assert after(*BOTH_WORK, Asked(0, 1), Asked(1, 1)) == []


class TestAWorkerThatSaysItIsStuck:
    STUCK = (*BOTH_WORK, told(), Asked(0, 1), formed(2), SaidStuck(1, 1))

    def test_is_ended_at_once_with_the_reason_said(self) -> None:
        assert after(*self.STUCK) == [KillWorker(1)]
        assert "worker 1 waits in round 1, which is over, for a transfer that gloo will not end" in said(*self.STUCK)

    def test_is_started_again_and_its_node_steps_aside_so_that_nobody_waits_for_it(self) -> None:
        actions = after(*self.STUCK, WorkerEnded(1, 137))
        assert StepAside() in actions
        assert Spawn(1) in actions

    def test_that_is_no_failure_of_its_own(self) -> None:
        assert Spawn(1) in after(*self.STUCK, WorkerEnded(1, 137), policy=Policy(max_restarts=0))

    def test_nor_if_something_that_it_said_before_is_heard_later(self) -> None:
        for late in (Asked(1, 1), TookRound(1, 2)):
            assert Spawn(1) in after(*self.STUCK, late, WorkerEnded(1, 137), policy=Policy(max_restarts=0))

    def test_before_the_next_round_has_formed_it_is_started_again(self) -> None:
        ended = (*BOTH_WORK, told(), Asked(0, 1), SaidStuck(1, 1), WorkerEnded(1, 137))
        assert Spawn(1) in after(*ended)


class TestTheLimitForTakingARoundIn:
    HANGS = (*BOTH_WORK, told(), Asked(0, 1), formed(2))

    def test_one_that_never_came_for_the_round_is_ended_and_those_that_wait_for_it_are_not(self) -> None:
        assert after(*self.HANGS, LimitOver(2)) == [KillWorker(1)]
        assert "worker 1 has not taken round 2 in" in said(*self.HANGS, LimitOver(2))

    def test_when_all_came_and_wait_the_node_asks_for_a_new_round_to_see_who_comes(self) -> None:
        over, join = after(*both_ask(), formed(), TookRound(0, 1), LimitOver(1))
        assert isinstance(over, TellOver)
        assert (over.why.round, over.why.reason) == (1, "NotTakenIn")
        assert join == Join()

    def test_one_that_hangs_in_the_midst_of_it_is_ended_in_the_round_after(self) -> None:
        hangs = (*both_ask(), formed(), LimitOver(1), Asked(0, 1), formed(2), LimitOver(2))
        assert after(*hangs) == [KillWorker(1)]

    def test_one_that_does_not_come_out_of_a_round_after_its_sibling_has_ended_is_ended_too(self) -> None:
        assert StartLimit(1) in after(*BOTH_WORK, WorkerEnded(1, 137))
        assert after(*BOTH_WORK, WorkerEnded(1, 137), LimitOver(1)) == [KillWorker(0)]

    def test_while_the_node_gathers_those_that_import_or_have_asked_are_left_alone(self) -> None:
        assert after(*BOTH_WORK, WorkerEnded(1, 137), Asked(0, 1), LimitOver(1)) == []

    def test_those_that_work_are_left_alone(self) -> None:
        assert after(*BOTH_WORK, LimitOver(1)) == []

    def test_the_limit_of_an_older_round_ends_nobody_who_has_come_since(self) -> None:
        assert after(*both_ask(), formed(), told(), *both_ask(1), formed(2), LimitOver(1)) == []
        assert after(*self.HANGS, told(2), *both_ask(2), LimitOver(2)) == []

    def test_rounds_that_follow_each_other_quickly_give_one_that_hangs_no_other_limit(self) -> None:
        replaced = (*self.HANGS, told(2), Asked(0, 2))
        assert after(*replaced, LimitOver(2)) == [KillWorker(1)]
        assert after(*replaced, formed(3), LimitOver(2)) == [KillWorker(1)]

    def test_one_that_is_being_started_meanwhile_is_left_alone(self) -> None:
        assert after(*self.HANGS, told(2), WorkerEnded(1, 1), LimitOver(2)) == []


class TestAWorkersEnd:
    def test_it_alone_is_started_again_and_the_node_gives_up_its_place(self) -> None:
        aside, over, _, spawn = after(*BOTH_WORK, WorkerEnded(1, 137))
        assert (aside, spawn) == (StepAside(), Spawn(1))
        assert isinstance(over, TellOver)
        assert over.why.round == 1

    def test_the_node_joins_again_when_the_new_one_is_ready(self) -> None:
        assert after(*BOTH_WORK, WorkerEnded(1, 137), Asked(0, 1)) == []
        assert after(*BOTH_WORK, WorkerEnded(1, 137), Asked(0, 1), Asked(1, 0)) == [Join()]

    def test_before_the_first_round_nothing_is_given_up(self) -> None:
        assert after(WorkerEnded(1, 1)) == [Spawn(1)]

    def test_a_round_that_forms_meanwhile_does_not_wait_for_it(self) -> None:
        dies_while_joining = (*both_ask(), WorkerEnded(1, 137))
        assert after(*dies_while_joining) == [Spawn(1)]
        aside, over, _ = after(*dies_while_joining, formed())
        assert aside == StepAside()
        assert isinstance(over, TellOver)

    def test_a_round_that_forms_when_the_new_one_has_asked_is_given_to_both(self) -> None:
        given = after(*both_ask(), WorkerEnded(1, 137), Asked(1, 0), formed())
        assert given == [GiveRound(0, standing()), GiveRound(1, standing()), StartLimit(1)]

    def test_a_new_round_costs_no_restart_and_each_end_costs_one(self) -> None:
        state, _ = run(*BOTH_WORK, told(), *both_ask(1), formed(2), *both_took(2), WorkerEnded(0, 1))
        assert state.failures == 1

    def test_the_end_for_which_no_restart_is_left_ends_the_node_with_its_status(self) -> None:
        last = (*BOTH_WORK, WorkerEnded(1, 7))
        no_restart = Policy(max_restarts=0)
        assert after(*last, policy=no_restart) == [EndAll(SIGTERM)]
        assert "no restart is left of 0" in said(*last, policy=no_restart)
        assert after(*last, WorkerEnded(0, 143), policy=no_restart) == [Leave(close=False), Exit(7)]

    def test_and_the_rendezvous_if_that_is_asked_for(self) -> None:
        policy = Policy(max_restarts=0, close_on_failure=True)
        assert after(*BOTH_WORK, WorkerEnded(1, 7), WorkerEnded(0, 0), policy=policy) == [Leave(close=True), Exit(7)]


class TestTheEndOfTheWork:
    def test_when_all_have_ended_with_success_the_rendezvous_is_closed(self) -> None:
        assert after(*BOTH_WORK, SaidDone(0), SaidDone(1), WorkerEnded(0, 0)) == []
        assert after(*BOTH_WORK, SaidDone(0), SaidDone(1), *BOTH_ENDED) == [Leave(close=True), Exit(0)]

    def test_one_that_fails_afterwards_is_not_started_again_and_its_status_counts(self) -> None:
        failed = (*BOTH_WORK, SaidDone(0), WorkerEnded(1, 9))
        assert after(*failed) == []
        assert after(*failed, WorkerEnded(0, 0)) == [Leave(close=True), Exit(9)]

    def test_the_rendezvous_is_closed_even_if_the_last_words_of_one_are_all_that_was_heard(self) -> None:
        assert after(*BOTH_WORK, SaidDone(1), WorkerEnded(1, 1), WorkerEnded(0, 1)) == [Leave(close=True), Exit(1)]

    @pytest.mark.parametrize(
        "late", [told(), formed(2), NO_MORE, LimitOver(1), LimitOver(2), GraceOver(), SaidStuck(1, 1)]
    )
    @pytest.mark.parametrize("over", [(), (told(),)])
    def test_then_workers_end_in_their_own_time_whatever_else_happens(
        self, over: tuple[Event, ...], late: Event
    ) -> None:
        done = (*BOTH_WORK, *over, SaidDone(0), late)
        assert not [action for action in after(*done) if not isinstance(action, TellOver)]
        assert after(*done, *BOTH_ENDED) == [Leave(close=True), Exit(0)]

    def test_workers_still_hear_that_the_round_is_over_for_the_sake_of_who_serves_its_store(self) -> None:
        assert after(*BOTH_WORK, SaidDone(0), told()) == [TellOver(told().why)]

    def test_another_node_may_close_the_rendezvous_before_our_worker_says_that_it_is_done(self) -> None:
        closed_first = (*BOTH_WORK, told(), NO_MORE, SaidDone(0))
        assert after(*closed_first, GraceOver()) == []
        assert after(*closed_first, *BOTH_ENDED) == [Leave(close=True), Exit(0)]

    def test_one_that_failed_in_between_still_counts(self) -> None:
        failed = (*BOTH_WORK, told(), NO_MORE, WorkerEnded(1, 1), SaidDone(0), WorkerEnded(0, 0))
        assert after(*failed) == [Leave(close=True), Exit(79)]

    def test_after_a_signal_it_is_too_late_for_it(self) -> None:
        assert after(*BOTH_WORK, Signalled(SIGTERM), SaidDone(0), *BOTH_ENDED) == [Leave(close=False), Exit(143)]

    def test_a_signal_afterwards_is_handed_on(self) -> None:
        assert after(*BOTH_WORK, SaidDone(0), Signalled(SIGTERM)) == [EndAll(SIGTERM)]

    def test_one_that_was_started_again_is_not_needed_any_more(self) -> None:
        crashed = (*BOTH_WORK, WorkerEnded(1, 134), SaidDone(0))
        assert after(*crashed) == [KillWorker(1)]
        assert after(*crashed, WorkerEnded(0, 0), WorkerEnded(1, 137)) == [Leave(close=True), Exit(137)]

    @pytest.mark.parametrize(
        "events",
        [
            (*BOTH_WORK, SaidDone(0), Asked(1, 1)),
            (*BOTH_WORK, Asked(1, 1), SaidDone(0)),
            (*BOTH_WORK, told(), Asked(1, 1), SaidDone(0)),
            (*BOTH_WORK, WorkerEnded(1, 134), Asked(1, 0), SaidDone(0)),
        ],
    )
    def test_one_that_missed_it_and_asks_for_a_round_is_told_that_there_is_none(
        self, events: tuple[Event, ...]
    ) -> None:
        (told_so,) = after(*events)
        assert isinstance(told_so, TellNoMore)
        assert told_so.closed

    def test_one_that_is_in_the_next_round_already_is_told_that_it_is_over(self) -> None:
        (over,) = after(*BOTH_WORK, told(), Asked(1, 1), formed(2), SaidDone(0))
        assert isinstance(over, TellOver)
        assert (over.why.round, over.why.reason) == (2, "WorkDone")

    def test_one_whose_word_that_it_has_taken_the_round_in_is_late_is_left_alone(self) -> None:
        assert after(*both_ask(), formed(), TookRound(0, 1), SaidDone(0)) == []

    def test_a_signal_holds_whatever_is_said_after_it(self) -> None:
        closed_first = (*BOTH_WORK, told(), NO_MORE, SaidDone(0), Signalled(SIGTERM), SaidDone(1))
        assert after(*closed_first, GraceOver()) == [KillAll()]
        assert after(*closed_first, *BOTH_ENDED) == [Leave(close=True), Exit(143)]

    def test_one_that_was_ended_because_it_was_stuck_is_no_failure_then_either(self) -> None:
        stuck = (*BOTH_WORK, told(), SaidStuck(1, 1), SaidDone(0))
        assert after(*stuck, WorkerEnded(1, 137), WorkerEnded(0, 0)) == [Leave(close=True), Exit(0)]


class TestAWorkerThatEndsWithSuccessAndSaysNothing:
    @pytest.mark.parametrize(
        "events",
        [
            (WorkerEnded(0, 0), Asked(1, 0)),
            (Asked(1, 0), WorkerEnded(0, 0)),
            (*BOTH_WORK, told(), WorkerEnded(0, 0), Asked(1, 1)),
            (*BOTH_WORK, told(), Asked(1, 1), WorkerEnded(0, 0)),
            (*BOTH_WORK, WorkerEnded(0, 0), Asked(1, 1)),
        ],
    )
    def test_leaves_its_siblings_without_another_round_and_they_hear_why(self, events: tuple[Event, ...]) -> None:
        no_more, end = after(*events)
        assert isinstance(no_more, TellNoMore)
        assert not no_more.closed
        assert "workers [0] of this node have ended with success" in no_more.message
        assert end == EndAll(0)
        assert after(*events, WorkerEnded(1, 1)) == [Leave(close=False), Exit(1)]

    def test_it_ends_the_rendezvous_if_failures_are_to(self) -> None:
        policy = Policy(close_on_failure=True)
        ended = (WorkerEnded(0, 0), Asked(1, 0), WorkerEnded(1, 1))
        assert after(*ended, policy=policy) == [Leave(close=True), Exit(1)]

    def test_those_that_work_are_left_to_their_work(self) -> None:
        assert after(*BOTH_WORK, WorkerEnded(0, 0)) == []
        assert after(*BOTH_WORK, *BOTH_ENDED) == [Leave(close=True), Exit(0)]


class TestNoRound:
    def test_workers_are_told_and_the_node_ends_with_the_status_for_it(self) -> None:
        assert after(*both_ask(), NO_MORE) == [TellNoMore(NO_MORE.message, closed=True), EndAll(0)]
        assert after(*both_ask(), NO_MORE, WorkerEnded(0, 1), WorkerEnded(1, 1)) == [Leave(close=False), Exit(79)]


class TestSignals:
    @pytest.mark.parametrize("before", [(), both_ask(), BOTH_WORK, (*BOTH_WORK, told())])
    def test_are_handed_on_and_the_node_leaves(self, before: tuple[Event, ...]) -> None:
        assert after(*before, Signalled(SIGINT)) == [EndAll(SIGINT)]
        assert after(*before, Signalled(SIGINT), *BOTH_ENDED) == [Leave(close=False), Exit(130)]

    @pytest.mark.parametrize("second", [Signalled(SIGTERM), GraceOver()])
    def test_the_second_one_or_the_end_of_the_grace_kills(self, second: Event) -> None:
        assert after(*BOTH_WORK, Signalled(SIGTERM), second) == [KillAll()]

    def test_the_first_one_kills_nobody_who_ends_already_and_may_be_saving(self) -> None:
        no_more = (*both_ask(), NO_MORE)
        assert after(*no_more, Signalled(SIGTERM)) == [EndAll(SIGTERM)]
        assert after(*no_more, Signalled(SIGTERM), Signalled(SIGTERM)) == [KillAll()]

    def test_no_worker_is_started_again_afterwards(self) -> None:
        assert after(*BOTH_WORK, Signalled(SIGTERM), WorkerEnded(0, 1)) == []


@pytest.mark.parametrize("late", [Asked(0, 1), TookRound(0, 1), told(), formed(2), NO_MORE, LimitOver(1), SaidDone(0)])
@pytest.mark.parametrize("phase", [Phase.ENDING, Phase.ENDED])
def test_nothing_happens_after_the_end(phase: Phase, late: Event) -> None:
    ends = (*BOTH_WORK, Signalled(SIGTERM), *(BOTH_ENDED if phase is Phase.ENDED else ()))
    state, actions = run(*ends, late)
    assert state.phase is phase
    assert actions == []
