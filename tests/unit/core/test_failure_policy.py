"""What places and runs that fail again and again have to answer for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, PastRound, Rendezvous, RendezvousStatus, Reopen, State
from kube_rendezvous.resources.failure_policy import FailurePolicy, NoProgress, Quarantine, QuarantinedPlace, RecentLoss
from kube_rendezvous_core import ObservedMember, Severity, decide
from kube_rendezvous_core.liveness.liveness import Loss
from kube_rendezvous_core.policy.failure_policy import (
    BY_POLICY,
    LOSSES_KEPT,
    QUARANTINED_KEPT,
    exhausted,
    settle_blame,
)
from unit.core.builders import NOW, at, crowd, forming_reason, member, outcome, seen, stands, then, told

TWICE = FailurePolicy(quarantine=Quarantine(losses=2, window_seconds=600))
LEFT_OUT = QuarantinedPlace("slot/3", NOW, "slot/3 lost 2 members within 600 s and is left out")


def run(
    losses: Sequence[RecentLoss] = (), policy: FailurePolicy = TWICE, trusted: str = "", **status: Any
) -> Rendezvous:
    """A Rendezvous with a round of a, b and c that has lost so much lately."""
    before = stands("a b c", max_nodes=3, failure_policy=policy, status={"recent_losses": tuple(losses), **status})
    return replace(before, trusted_places=frozenset(trusted.split()))


def lost(name: str, reason: str = "HeartbeatLost", **fields: Any) -> Loss:
    return Loss(name, reason, f"{name} is lost", member(name, **fields))


def earlier(place: str, name: str = "old", seconds: float = -60) -> RecentLoss:
    return RecentLoss(place, name, "HeartbeatLost", at(seconds))


def condition(status: RendezvousStatus, kind: str) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)


# Which losses count, and against what -------------------------------------------------------------------------------


def test_a_slot_in_which_another_member_of_the_round_lives_has_lost_nothing() -> None:
    """A slot is what a member says of itself: whoever dies with another's must not have that one left out."""
    before = run(slots=("3", "3", "1"))
    there = settle_blame(before, [lost("a", slot="3", node_name="gpu-7")], {"b", "c"}, NOW)
    assert [one.place for one in there.losses] == ["node/gpu-7"]
    gone = settle_blame(before, [lost("a", slot="3")], {"c"}, NOW)
    assert [one.place for one in gone.losses] == ["slot/3"]


@pytest.mark.parametrize(
    ("where", "places"),
    [
        pytest.param({"node_name": "gpu-7", "slot": "3"}, ["node/gpu-7", "slot/3"], id="its node and its slot"),
        pytest.param({"node_name": "gpu-7"}, ["node/gpu-7"], id="its node alone"),
        pytest.param({"slot": "3"}, ["slot/3"], id="its slot alone"),
        pytest.param({}, [], id="a member of no known place"),
    ],
)
def test_a_loss_counts_against_the_node_and_the_slot_of_the_member(where: dict[str, str], places: list[str]) -> None:
    blame = settle_blame(run(), [lost("a", **where)], (), NOW)
    assert [loss.place for loss in blame.losses] == places
    assert all((loss.member, loss.reason, loss.at) == ("a", "HeartbeatLost", NOW) for loss in blame.losses)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        ("HeartbeatLost", True),
        ("MemberSuperseded", True),
        ("PodFinished", True),
        ("ContainerEnded", True),
        ("ContainerRestarted", True),
        ("NodeGone", True),
        ("DeviceUnhealthy", True),
        ("MemberLeft", False),
        ("MemberDeleted", False),
        ("PodDeleted", False),
        ("PodTerminating", False),
        ("PodEvicted", False),
        ("NodeDraining", False),
        ("ContainersRestarting", False),
    ],
)
def test_a_loss_that_somebody_wanted_counts_against_nobody(reason: str, counts: bool) -> None:
    assert bool(settle_blame(run(), [lost("a", reason, slot="3")], (), NOW).losses) is counts


def test_a_loss_counts_once_however_often_it_is_seen() -> None:
    first = settle_blame(run(), [lost("a", slot="3")], (), NOW)
    again = settle_blame(run(first.losses), [lost("a", slot="3")], (), at(5))
    assert again.losses == first.losses
    assert again.quarantined == ()


def test_a_loss_is_recorded_when_it_is_carried_out_and_not_again_when_only_the_name_is_left() -> None:
    before = run()
    first = decide(before, [seen("a", slot="3", silence=15), *crowd("b c")], NOW)
    assert [loss.place for loss in first.status.recent_losses] == ["slot/3"]
    again = decide(then(before, first), crowd("b c"), at(5))
    assert again.status.recent_losses == first.status.recent_losses


def test_the_loss_of_a_spare_counts_against_nobody() -> None:
    assert outcome(run(), [*crowd("a b c"), seen("spare", slot="3", silence=15)]).recent_losses == ()


def test_losses_expire_with_the_window_but_a_quarantine_stays() -> None:
    losses = [earlier("slot/3", "o2", -60), earlier("slot/3", "o1", -599)]
    before = run(losses, quarantined=(LEFT_OUT,))
    status = outcome(before, crowd("a b c"), 2)
    assert [loss.member for loss in status.recent_losses] == ["o2"]
    much_later = outcome(before, crowd("a b c"), 10_000)
    assert much_later.recent_losses == ()
    assert much_later.quarantined == (LEFT_OUT,)


def test_the_newest_losses_come_first_and_are_no_more_than_the_schema_allows() -> None:
    losses = [earlier(f"slot/{i}") for i in range(LOSSES_KEPT)]
    blame = settle_blame(run(losses), [lost("a", slot="x")], (), NOW)
    assert (blame.losses[0].place, len(blame.losses)) == ("slot/x", LOSSES_KEPT)


def test_places_beyond_what_the_schema_allows_are_neither_left_out_nor_announced() -> None:
    full = tuple(QuarantinedPlace(f"slot/{i}", NOW, "") for i in range(QUARANTINED_KEPT))
    blame = settle_blame(run([earlier("slot/x")], quarantined=full), [lost("a", slot="x")], (), NOW)
    assert (blame.quarantined, blame.news) == (full, ())


# Quarantine ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "left_out"),
    [
        pytest.param([], [], id="the first loss"),
        pytest.param([earlier("slot/3")], ["slot/3"], id="the second at its slot"),
        pytest.param([earlier("node/gpu-7")], ["node/gpu-7"], id="the second at its node"),
        pytest.param([earlier("node/gpu-7"), earlier("slot/3")], ["node/gpu-7", "slot/3"], id="at both"),
        pytest.param([earlier("slot/4")], [], id="the other one was elsewhere"),
        pytest.param([earlier("slot/3", seconds=-601)], [], id="the other one is too long ago"),
    ],
)
def test_a_place_is_left_out_after_so_many_losses_within_the_window(
    losses: list[RecentLoss], left_out: list[str]
) -> None:
    blame = settle_blame(run(losses), [lost("a", node_name="gpu-7", slot="3")], (), NOW)
    assert sorted(place.place for place in blame.quarantined) == left_out
    assert blame.news == blame.quarantined


def test_the_sentence_says_what_happened_and_gives_the_command_that_lifts_it() -> None:
    blame = settle_blame(run([earlier("slot/3")], trusted="node/x"), [lost("a", slot="3")], (), NOW)
    assert blame.news[0].message == (
        "slot/3 lost 2 members within 600 s and is left out; when it is mended: kubectl -n default annotate rdzv run "
        "--overwrite rendezvous.dev/trusted-places=node/x,slot/3"
    )


def test_the_annotation_lifts_the_quarantine_and_forgets_the_losses() -> None:
    losses = [earlier("slot/3", "o2"), earlier("slot/3", "o1"), earlier("slot/4")]
    before = run(losses, trusted="slot/3", quarantined=(LEFT_OUT,))
    status = outcome(before, crowd("a b c"))
    assert (status.quarantined, [loss.place for loss in status.recent_losses]) == ((), ["slot/4"])


def test_a_trusted_place_is_not_left_out_again_as_long_as_it_is_trusted() -> None:
    before = run([earlier("slot/3")], trusted="slot/3")
    assert settle_blame(before, [lost("a", slot="3")], (), NOW).quarantined == ()


def test_event_and_condition_say_so_once() -> None:
    before = run([earlier("slot/3")])
    first = decide(before, [seen("a", slot="3", silence=15), *crowd("b c")], NOW)
    told_so = [a for a in first.announcements if a.reason == "Quarantined"]
    assert [(a.severity, a.message) for a in told_so] == [(Severity.WARNING, first.status.quarantined[0].message)]
    said = condition(first.status, "Quarantined")
    assert said is not None
    assert (said.status, said.reason, said.message) == ("True", "PlacesLeftOut", told_so[0].message)
    again = decide(then(before, first), crowd("b c", after_round=3), at(5))
    assert [a.reason for a in again.announcements] == ["RoundFormed"]
    assert condition(again.status, "Quarantined") == said


def test_the_condition_is_absent_until_a_place_was_left_out_and_false_when_it_is_lifted() -> None:
    assert condition(outcome(run(), crowd("a b c")), "Quarantined") is None
    before = run(quarantined=(LEFT_OUT,))
    before = then(before, decide(before, crowd("a b c"), NOW))
    lifted = condition(outcome(replace(before, trusted_places=frozenset({"slot/3"})), crowd("a b c"), 5), "Quarantined")
    assert lifted is not None
    assert (lifted.status, lifted.reason, lifted.last_transition_time) == ("False", "NobodyLeftOut", at(5))


def test_a_member_at_a_quarantined_place_goes_on_with_its_round() -> None:
    decision = decide(run(quarantined=(LEFT_OUT,)), [*crowd("a b"), seen("c", slot="3")], NOW)
    assert (decision.status.ranks, decision.status.state) == (("a", "b", "c"), State.ACTIVE)
    assert decision.expel_first == ()


def test_a_newcomer_at_a_quarantined_place_gets_no_place_and_is_no_spare() -> None:
    before = stands("a b", max_nodes=3, failure_policy=TWICE, status={"quarantined": (LEFT_OUT,)}, max_spares=0)
    status = outcome(before, [*crowd("a b"), seen("d", slot="3")])
    assert (forming_reason(status), status.standby, status.spares, status.surplus) == (None, 0, (), ())


def test_a_newcomer_on_a_quarantined_node_gets_no_place() -> None:
    left_out = QuarantinedPlace("node/gpu-7", NOW, "")
    before = run(quarantined=(left_out,), forming=told())
    members = [*crowd("a b", after_round=3), seen("d", node_name="gpu-7"), seen("e", node_name="gpu-8")]
    assert outcome(before, members).ranks == ("a", "b", "e")


def test_an_old_member_at_a_quarantined_place_is_not_taken_into_the_next_round_and_keeps_its_object() -> None:
    before = run(quarantined=(LEFT_OUT,), forming=told())
    members = [*crowd("a b", after_round=3), seen("c", slot="3", after_round=3)]
    decision = decide(before, members, NOW)
    assert (decision.status.round, decision.status.ranks, decision.expel_first) == (4, ("a", "b"), ())


def test_an_old_member_at_a_quarantined_place_that_joins_again_makes_a_round_necessary() -> None:
    # Its peers wait for it in their collectives: they must be told.
    before = run(quarantined=(LEFT_OUT,))
    status = outcome(before, [*crowd("a b"), seen("c", slot="3", after_round=3)])
    assert (forming_reason(status), status.state) == ("MemberRestarted", State.REFORMING)


def test_members_at_quarantined_places_do_not_count_among_those_who_have_arrived() -> None:
    before = run(quarantined=(LEFT_OUT,), forming=told())
    status = outcome(before, [seen("a", after_round=3), seen("c", slot="3", after_round=3)])
    assert status.forming is not None
    assert (status.round, status.forming.arrived) == (3, 1)


def test_once_trusted_it_takes_part_again() -> None:
    before = stands("a b", max_nodes=3, failure_policy=TWICE, status={"quarantined": (LEFT_OUT,)})
    trusted = replace(before, trusted_places=frozenset({"slot/3"}))
    assert forming_reason(outcome(trusted, [*crowd("a b"), seen("d", slot="3")])) == "Growth"


# Limits -------------------------------------------------------------------------------------------------------------


def past(number: int, seconds: float, reason: str = "HeartbeatLost") -> PastRound:
    return PastRound(number, reason, "", 3, (), 0, (), 0, 0, at(seconds), 1.0)


def history(*rounds: tuple[int, float] | tuple[int, float, str]) -> tuple[PastRound, ...]:
    return tuple(past(*line) for line in rounds)


TWO_FAILURES = history((3, -10), (2, -20), (1, -30, "FirstRound"))
THREE_ROUNDS = FailurePolicy(no_progress=NoProgress(rounds=3, within_seconds=60))
SILENT_C: list[ObservedMember] = [*crowd("a b"), seen("c", silence=15)]


@pytest.mark.parametrize(
    ("policy", "status", "closes"),
    [
        pytest.param(FailurePolicy(max_rounds=4), {}, False, id="one more round is allowed"),
        pytest.param(FailurePolicy(max_rounds=3), {}, True, id="as many rounds as are allowed"),
        pytest.param(FailurePolicy(max_rounds=3), {"opened_after": 1}, False, id="rounds before it was opened"),
        pytest.param(THREE_ROUNDS, {"history": TWO_FAILURES}, True, id="two failures and this one"),
        pytest.param(THREE_ROUNDS, {"history": TWO_FAILURES, "opened_after": 2}, False, id="failures before that"),
        pytest.param(THREE_ROUNDS, {"history": history((3, -10), (2, -61))}, False, id="one is too long ago"),
        pytest.param(THREE_ROUNDS, {"history": history((3, -10, "Growth"), (2, -20))}, False, id="growth is none"),
        pytest.param(
            THREE_ROUNDS, {"history": history((3, -10, "PodEvicted"), (2, -20))}, False, id="an eviction is none"
        ),
        pytest.param(
            FailurePolicy(no_progress=NoProgress(10, 600)),
            {"history": history(*((13 - i, -10.0 * i) for i in range(1, 10))), "round": 12},
            True,
            id="the most rounds that can be asked for, in the history that is kept",
        ),
    ],
)
def test_one_failure_too_many_closes_the_rendezvous(
    policy: FailurePolicy, status: dict[str, Any], closes: bool
) -> None:
    after = outcome(run(policy=policy, **status), SILENT_C)
    assert (after.closed is not None) is closes
    assert (forming_reason(after) is None) is closes


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param([*crowd("a b c"), seen("d")], "Growth", id="growth"),
        pytest.param([*crowd("a b"), seen("c", leaving=True)], "MemberLeft", id="a goodbye"),
        pytest.param([*crowd("a b"), seen("c", deleted=True)], "MemberDeleted", id="a deletion"),
    ],
)
def test_a_round_that_somebody_wanted_closes_nothing(members: list[ObservedMember], reason: str) -> None:
    before = run(policy=FailurePolicy(max_rounds=1, no_progress=NoProgress(2, 600)), history=TWO_FAILURES)
    before = replace(before, spec=replace(before.spec, max_nodes=4, last_call_seconds=0))
    after = outcome(before, members)
    assert (after.closed, forming_reason(after)) == (None, reason)


def test_workers_that_fail_and_join_again_are_failures_too() -> None:
    before = run(policy=THREE_ROUNDS, history=history((3, -10, "MemberRestarted"), (2, -20, "MemberRestarted")))
    after = outcome(before, [*crowd("a b"), seen("c", after_round=3)])
    assert after.closed is not None


def test_reason_and_message_say_why_and_what_to_do() -> None:
    decision = decide(run(policy=THREE_ROUNDS, history=TWO_FAILURES), SILENT_C, NOW)
    closed = decision.status.closed
    assert closed is not None
    assert (closed.by, closed.reason, closed.at) == ("spec.failurePolicy", BY_POLICY, NOW)
    assert closed.message == (
        "failures made 3 rounds necessary within 60 s; the last failure: c has sent no heartbeat for 15 s "
        "(limit 15 s). Look at the logs of the members that failed, then start the job anew"
    )
    assert [(a.severity, a.reason, a.message) for a in decision.announcements] == [
        (Severity.WARNING, "Closed", closed.message)
    ]
    assert decision.status.state is State.CLOSED
    said = condition(decision.status, "Closed")
    assert said is not None
    assert (said.status, said.reason) == ("True", BY_POLICY)


def test_the_message_of_max_rounds_names_both_numbers() -> None:
    closed = outcome(run(policy=FailurePolicy(max_rounds=2)), SILENT_C).closed
    assert closed is not None
    assert closed.message.startswith("3 rounds were formed, maxRounds is 2; the last failure: c has sent no heartbeat")


def test_where_nothing_opens_it_again_the_message_says_so() -> None:
    before = run(policy=FailurePolicy(max_rounds=2))
    before = replace(before, spec=replace(before.spec, reopen=Reopen.NEVER))
    closed = outcome(before, SILENT_C).closed
    assert closed is not None
    assert closed.message.endswith("then delete rdzv run (spec.reopen is Never) and start the job anew")


def test_however_long_the_failure_is_told_the_message_ends_with_what_to_do() -> None:
    closed = exhausted(run(policy=FailurePolicy(max_rounds=1)), told(message="x" * 1024), NOW)
    assert closed is not None
    assert len(closed.message) <= 1024
    assert closed.message.endswith("start the job anew")


def test_the_survivors_are_told_to_stop() -> None:
    closed = outcome(run(policy=FailurePolicy(max_rounds=1)), SILENT_C).closed
    assert closed is not None
    assert closed.interrupts


def test_what_the_policy_closed_stays_closed_while_a_member_of_the_old_run_lives() -> None:
    before = run(policy=FailurePolicy(max_rounds=1))
    before = then(before, decide(before, SILENT_C, NOW))
    status = outcome(before, [*crowd("a"), seen("new")], 5)
    assert status.closed is not None
    assert not status.closed.reopens_on_join


def test_what_the_policy_closed_opens_again_as_what_a_member_closed() -> None:
    before = run(policy=FailurePolicy(max_rounds=1))
    closed = then(before, decide(before, SILENT_C, NOW))
    empty = then(closed, decide(closed, [], at(5)))
    assert empty.status.closed is not None
    assert empty.status.closed.reopens_on_join
    again = decide(empty, crowd("d e f"), at(6))
    assert (again.status.closed, again.status.round, again.status.opened_after) == (None, 4, 3)
    once = outcome(then(empty, again), [*crowd("d e"), seen("f", silence=15)], 30)
    assert once.closed is not None, "its one round was formed"


def test_a_person_may_open_it_while_members_of_the_failed_round_are_there() -> None:
    # Rounds count from the opening: the loss that is still there does not close it at once.
    before = run(policy=FailurePolicy(max_rounds=3))
    by_person = replace(before, spec=replace(before.spec, closed=True))
    by_person = then(by_person, decide(by_person, crowd("a b c"), NOW))
    opened = replace(by_person, spec=before.spec)
    status = outcome(opened, SILENT_C, 5)
    assert (status.closed, forming_reason(status), status.opened_after) == (None, "HeartbeatLost", 3)


# Without a policy ---------------------------------------------------------------------------------------------------


def test_with_no_policy_nothing_is_recorded() -> None:
    before = run(policy=FailurePolicy())
    status = outcome(before, [*crowd("a b"), seen("c", node_name="gpu-7", slot="3", silence=15)])
    assert (status.recent_losses, status.quarantined, status.closed) == ((), (), None)
    assert condition(status, "Quarantined") is None


def test_with_no_policy_a_standing_round_keeps_its_status() -> None:
    before = run(policy=FailurePolicy())
    assert outcome(before, crowd("a b c")) == before.status


def test_a_policy_that_is_taken_back_forgets_everything() -> None:
    before = run([earlier("slot/3")], policy=FailurePolicy(), quarantined=(LEFT_OUT,))
    status = outcome(before, crowd("a b c"))
    assert (status.recent_losses, status.quarantined) == ((), ())
