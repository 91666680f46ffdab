"""Where heartbeats are rare, members watch each other, and the operator asks those that a neighbour does not hear."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Question, Rendezvous
from kube_rendezvous.resources.neighbours import CIRCLE_SIZE, watched_by
from kube_rendezvous_core import ObservedMember, decide
from kube_rendezvous_core.liveness.suspicion import LET_ALONE_SECONDS, MOST_QUESTIONS
from unit.core.builders import at, seen, stands, then

RARE: dict[str, Any] = {"heartbeat_seconds": 160}
NAMES = "a b c d"


def rare(names: str = NAMES, *questions: Question) -> Rendezvous:
    return stands(names, status=RARE | {"questions": questions}, max_nodes=10_000)


def members(names: str = NAMES, **suspects: tuple[str, ...]) -> list[ObservedMember]:
    return [
        seen(name, after_round=0, watch_port=9, renew_time="first", suspects=suspects.get(name, ()))
        for name in names.split()
    ]


def asked(rendezvous: Rendezvous, observed: list[ObservedMember], seconds: float = 0.0) -> list[str]:
    return [question.member for question in decide(rendezvous, observed, at(seconds)).status.questions]


def lost(rendezvous: Rendezvous, observed: list[ObservedMember], seconds: float) -> list[str]:
    return [e.member.name for e in decide(rendezvous, observed, at(seconds)).expel_after]


@pytest.mark.parametrize("size", [1, 2, 3, 31, 32, 33, 63, 64, 65, 10_000])
def test_everybody_is_watched_by_two_others_if_there_are_two(size: int) -> None:
    watchers: dict[int, set[int]] = {rank: set() for rank in range(size)}
    for rank in range(size):
        for watched in watched_by(rank, size):
            watchers[watched].add(rank)
    assert all(len(those - {rank}) == min(2, size - 1) == len(those) for rank, those in watchers.items())


def test_a_circle_holds_neighbours_in_the_order_of_ranks() -> None:
    assert watched_by(0, 10_000) == (1, 2)
    assert watched_by(CIRCLE_SIZE - 1, 10_000) == (0, 1)


def test_who_is_suspected_by_a_neighbour_is_asked_and_loses_nothing_by_that() -> None:
    decision = decide(rare(), members(a=("b",)), at(0))
    assert decision.status.questions == (Question("b", "a", at(0), "first"),)
    assert not decision.expel_after
    assert decision.status.forming is None


def test_several_suspicions_of_one_member_are_one_question() -> None:
    assert asked(rare(), members(a=("c",), b=("c",))) == ["c"]


def test_where_the_interval_is_the_wished_one_nobody_is_asked() -> None:
    assert asked(stands(NAMES), members(a=("b",))) == []


def test_nobody_accuses_more_than_his_own_two_neighbours() -> None:
    assert asked(rare(), members(a=("d", "b"))) == ["b"]


def test_an_older_client_that_would_not_answer_is_not_asked() -> None:
    observed = [replace(one, member=replace(one.member, watch_port=0)) for one in members(a=("b",))]
    assert asked(rare(), observed) == []


@pytest.mark.parametrize(
    ("silence", "proven", "seconds", "is_lost"),
    [
        pytest.param(100.0, None, 11.9, False, id="it still has time"),
        pytest.param(100.0, None, 12.0, True, id="no answer in time"),
        pytest.param(100.0, 0.0, 30.0, False, id="not yet proven that the API server serves"),
        pytest.param(100.0, 5.9, 30.0, False, id="proven just now"),
        pytest.param(100.0, 6.0, 30.0, True, id="proven, and time for an answer since"),
        pytest.param(11.0, None, 30.0, False, id="the watch was cut meanwhile: its silence counts from there"),
    ],
)
def test_only_silence_to_the_question_costs_a_member_its_place(
    silence: float, proven: float | None, seconds: float, is_lost: bool
) -> None:
    observed = members(a=("b",))
    observed[1] = replace(observed[1], silence=silence, proven_silence=proven)
    assert lost(rare(NAMES, Question("b", "a", at(0), "first")), observed, seconds) == (["b"] if is_lost else [])


def test_the_loss_is_looked_at_again_before_anything_is_written() -> None:
    observed = members(a=("b",))
    observed[1] = replace(observed[1], silence=20.0)
    assert decide(rare(NAMES, Question("b", "a", at(0), "first")), observed, at(12)).doubtful


def test_the_proof_is_asked_for_in_the_middle_of_the_time_and_the_decision_wakes_for_it() -> None:
    observed = members(a=("b",))
    observed[1] = replace(observed[1], silence=20.0, proven_silence=0.0)
    question = rare(NAMES, Question("b", "a", at(0), "first"))
    early = decide(question, observed, at(1))
    assert early.suspects == ()
    assert early.wake_after is not None
    assert early.wake_after <= 5.0
    assert decide(question, observed, at(6)).suspects == ("b",)


def test_a_decision_that_asks_wakes_in_time_to_have_the_answer_missed() -> None:
    observed = members(a=("b",))
    observed[1] = replace(observed[1], silence=20.0, proven_silence=0.0)
    asks = decide(rare(), observed, at(0))
    assert asks.status.questions
    assert asks.wake_after is not None
    assert asks.wake_after <= 6.0


def answering(observed: list[ObservedMember], name: str) -> list[ObservedMember]:
    return [
        replace(one, member=replace(one.member, renew_time="another")) if one.member.name == name else one
        for one in observed
    ]


def test_who_has_answered_is_let_alone_for_a_while_and_asked_again_after_that() -> None:
    observed = answering(members(a=("b",)), "b")
    question = rare(NAMES, Question("b", "a", at(0), "first"))
    before = decide(question, observed, at(LET_ALONE_SECONDS - 1))
    assert before.status.questions == question.status.questions
    assert before.wake_after is not None
    assert before.wake_after <= 1.0
    again = decide(question, observed, at(LET_ALONE_SECONDS)).status.questions
    assert again == (Question("b", "a", at(LET_ALONE_SECONDS), "another"),)


def test_who_has_suspected_wrongly_is_not_heeded_for_as_long() -> None:
    observed = answering(members(a=("b", "c")), "b")
    question = rare(NAMES, Question("b", "a", at(0), "first"))
    assert asked(question, observed, 1) == ["b"]
    assert asked(question, answering(members(a=("b",), d=("a",)), "b"), 1) == ["b", "a"]


def test_liars_together_make_no_more_questions_than_a_bounded_number() -> None:
    names = [f"m{rank}" for rank in range(100)]
    everybody = {name: tuple(names[other] for other in watched_by(rank, 100)) for rank, name in enumerate(names)}
    rendezvous, observed = rare(" ".join(names)), members(" ".join(names), **everybody)
    writes = 0
    for second in range(int(LET_ALONE_SECONDS)):
        decision = decide(rendezvous, observed, at(second))
        writes += decision.status != rendezvous.status
        assert not decision.expel_after
        rendezvous = then(rendezvous, decision)
        for question in rendezvous.status.questions:
            observed = answering(observed, question.member)
    assert len(rendezvous.status.questions) == MOST_QUESTIONS
    assert writes <= MOST_QUESTIONS
