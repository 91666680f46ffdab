"""The state in one word, and conditions that say what to do."""

import pytest

from kube_rendezvous.resources import Condition, Rendezvous, RendezvousStatus, State
from kube_rendezvous_core import ObservedMember, decide
from unit.core.builders import NOW, at, crowd, outcome, rendezvous, seen, stands, then, told


def condition(status: RendezvousStatus, kind: str) -> Condition:
    return next(c for c in status.conditions if c.type == kind)


@pytest.mark.parametrize(
    ("before", "members", "state", "formed"),
    [
        pytest.param(rendezvous(), crowd("a"), State.WAITING, "False", id="too few for a first round"),
        pytest.param(rendezvous(), crowd("a b"), State.LAST_CALL, "False", id="last call of the first round"),
        pytest.param(rendezvous(), crowd("a b c d"), State.ACTIVE, "True", id="a round stands"),
        pytest.param(stands("a b"), crowd("a b c"), State.LAST_CALL, "True", id="newcomers gather beside it"),
        pytest.param(stands("a b"), crowd("a"), State.REFORMING, "False", id="a member is lost"),
        pytest.param(stands("a b", closed=True), crowd("a b"), State.CLOSED, "False", id="closed"),
    ],
)
def test_state_and_formed(before: Rendezvous, members: list[ObservedMember], state: State, formed: str) -> None:
    status = outcome(before, members)
    assert (status.state, condition(status, "Formed").status) == (state, formed)


def test_too_few_members_for_half_a_minute_is_reported_as_stalled_with_what_to_do() -> None:
    first = decide(rendezvous(), crowd("a"), NOW)
    assert condition(first.status, "Stalled").status == "False"
    assert first.wake_after is not None
    late = decide(then(rendezvous(), first), crowd("a"), at(30))
    stalled = condition(late.status, "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "NotEnoughMembers")
    assert "1 of 2 required nodes are here; start more nodes or lower spec.minNodes" in stalled.message
    assert [a.reason for a in late.announcements] == ["Stalled"]


def test_stalled_is_announced_once_and_ends_when_enough_are_there() -> None:
    first = then(rendezvous(), decide(rendezvous(), crowd("a"), NOW))
    stalled = then(first, decide(first, crowd("a"), at(30)))
    assert decide(stalled, crowd("a"), at(40)).announcements == ()
    assert condition(outcome(stalled, crowd("a b"), 41), "Stalled").status == "False"


def test_a_round_of_one_is_told_as_one_node() -> None:
    status = outcome(rendezvous(min_nodes=1, max_nodes=1), crowd("a"))
    assert condition(status, "Formed").message == "Round 1 stands with 1 node."


def test_stalled_names_the_members_that_are_still_to_join_again() -> None:
    before = stands("a b", status={"forming": told()})
    status = outcome(before, [seen("a", after_round=3), seen("b")], 31)
    assert "still awaited: b" in condition(status, "Stalled").message


def test_a_growth_that_has_just_told_everybody_is_not_stalled() -> None:
    gathering = then(stands("a b"), decide(stands("a b"), crowd("a b late"), NOW))
    interrupted = outcome(gathering, crowd("a b late"), 30)
    assert interrupted.state is State.REFORMING
    assert condition(interrupted, "Stalled").status == "False"
    assert condition(outcome(rendezvous(interrupted), crowd("a b late"), 60), "Stalled").status == "True"


def test_a_transition_time_changes_only_with_the_condition() -> None:
    first = then(rendezvous(), decide(rendezvous(), crowd("a"), NOW))
    again = outcome(first, crowd("a"), 10)
    assert condition(again, "Formed").last_transition_time == NOW
    formed = outcome(first, crowd("a b c d"), 20)
    assert condition(formed, "Formed").last_transition_time == at(20)


def test_conditions_carry_the_observed_generation() -> None:
    status = outcome(rendezvous(generation=5), crowd("a"))
    assert {c.observed_generation for c in status.conditions} == {5}
    assert status.observed_generation == 5


def test_a_message_is_never_longer_than_the_schema_allows() -> None:
    names = " ".join(f"{'long' * 40}-{i}" for i in range(30))
    status = outcome(stands(names, max_nodes=30, status={"forming": None}), [])
    assert max(len(c.message) for c in status.conditions) <= 1024
    assert status.forming is not None
    assert len(status.forming.message) <= 1024
