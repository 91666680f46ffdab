"""What becomes of members whose eviction is asked for, and what is answered when."""

from dataclasses import replace

import pytest

from kube_rendezvous_core import Decision, EvictionAnswer, ObservedEviction, ObservedMember, Surroundings, decide
from unit.core.builders import NOW, at, rendezvous, seen, stands, then

REQUEST = ObservedEviction("e", "7", "p", asks=True, requesters="drain.example.com/a", began=NOW)
HEARD = replace(REQUEST, heard=True)


def members(**last: int) -> list[ObservedMember]:
    """Two of round 3 and a third, in pod p."""
    return [seen("a", pod_uid="pa"), seen("b", pod_uid="pb"), seen("c", pod_uid="p", **last)]


def decided(
    eviction: ObservedEviction, seconds: float = 0.0, names: str = "a b c", after: int = 0, **spec: int
) -> Decision:
    """What is decided about a round of these, that many seconds after NOW."""
    before = stands(names, **spec)
    there = [one for one in members(after_round=after) if one.member.name in names.split()]
    return decide(before, there, at(seconds), surroundings=Surroundings(evictions={"p": eviction}))


def test_the_next_round_is_formed_without_it_and_the_eviction_is_told_until_when() -> None:
    decision = decided(REQUEST)
    forming = decision.status.forming
    assert forming is not None
    assert (forming.reason, forming.interrupts) == ("EvictionRequested", True)
    said = "c has a place in round 3; round 4 is formed without it."
    assert decision.eviction_answers == (EvictionAnswer(REQUEST, said, NOW, completes=False, expected=at(90)),)


def test_it_is_told_so_once_and_again_when_the_time_is_up() -> None:
    assert decided(HEARD, 89.0).eviction_answers == ()
    (answer,) = decided(HEARD, 90.0).eviction_answers
    assert (answer.completes, answer.message) == (True, "It could not be handed over in time.")


def test_somebody_looks_when_the_time_is_up_and_not_again_and_again_after_it() -> None:
    soon = decided(HEARD, 89.5).wake_after
    assert soon is not None
    assert soon <= 0.5
    later = decided(HEARD, 100.0).wake_after
    assert later is None or later > 0.5


def test_when_a_round_stands_without_it_the_pod_may_go() -> None:
    (answer,) = decided(HEARD, names="a b").eviction_answers or (None,)
    assert answer is None, "the pod is of another rendezvous"
    before = stands("a b", number=4)
    decision = decide(before, members(after_round=3), NOW, surroundings=Surroundings(evictions={"p": HEARD}))
    (answer,) = decision.eviction_answers
    assert (answer.completes, answer.message) == (
        True,
        "No round of the rendezvous rests on it; the newest is round 4.",
    )
    assert decision.status.forming is None, "and it does not come again"


def test_one_that_has_joined_again_before_the_others_is_not_handed_over_yet() -> None:
    assert decided(HEARD, after=3).eviction_answers == ()


def test_where_too_few_are_left_the_eviction_waits_until_its_workers_have_ended() -> None:
    assert decided(HEARD, min_nodes=3).eviction_answers == ()
    (answer,) = decided(HEARD, after=3, min_nodes=3).eviction_answers
    assert answer.message == "Its workers have ended; too few others are there for a round without it."


@pytest.mark.parametrize(
    "eviction",
    [
        pytest.param(replace(REQUEST, answered=True), id="answered"),
        pytest.param(replace(REQUEST, began=None), id="nobody waits"),
        pytest.param(replace(REQUEST, pod_uid="q"), id="another pod"),
    ],
)
def test_nothing_is_answered_unasked(eviction: ObservedEviction) -> None:
    decision = decide(
        stands("a b c"), members(), NOW, surroundings=Surroundings(evictions={eviction.pod_uid: eviction})
    )
    assert decision.eviction_answers == ()


def test_the_condition_names_it_until_that_is_withdrawn() -> None:
    before = stands("a b", number=4)
    decision = decide(before, members(after_round=3), NOW, surroundings=Surroundings(evictions={"p": HEARD}))
    (named,) = [c for c in decision.status.conditions if c.type == "EvictionsRequested"]
    assert named.message.startswith("No round takes c: the eviction of their pods is asked for.")
    withdrawn = Surroundings(evictions={"p": replace(HEARD, asks=False, began=None)})
    after = decide(then(before, decision), members(after_round=3), NOW, surroundings=withdrawn)
    (over,) = [c for c in after.status.conditions if c.type == "EvictionsRequested"]
    assert over.status == "False"


def test_a_first_round_is_formed_without_it() -> None:
    decision = decide(rendezvous(), members(), NOW, surroundings=Surroundings(evictions={"p": REQUEST}))
    assert "c" not in decision.status.ranks
    (answer,) = decision.eviction_answers
    assert answer.completes
