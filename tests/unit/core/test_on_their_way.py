"""Pods on their way: when a formation waits for them, and what becomes of members that have to go."""

from collections.abc import Sequence
from typing import Any

import pytest

from kube_rendezvous.resources import Closed, Ranking, RendezvousStatus, Reopen, State
from kube_rendezvous_core import (
    Decision,
    ObservedContainer,
    ObservedMember,
    ObservedNode,
    ObservedPod,
    Surroundings,
    decide,
)
from kube_rendezvous_core.policy.closing import BY_MEMBER
from unit.core.builders import NOW, at, rendezvous, seen, stands, then, told

Pods = Sequence[ObservedPod]


def labelled(names: str, phase: str = "Running", **fields: Any) -> list[ObservedPod]:
    """The pods of those members (UID: ``pod-of-NAME``), or of nobody yet."""
    running = ObservedContainer(running_since=at(-5)) if phase == "Running" else ObservedContainer()
    standard: dict[str, Any] = {"phase": phase, "container": running} | fields
    return [ObservedPod(name=name, uid=f"pod-of-{name}", **standard) for name in names.split()]


def joined(names: str, **fields: Any) -> list[ObservedMember]:
    """Members that run in the pods of their names."""
    return [seen(name, pod_uid=f"pod-of-{name}", **fields) for name in names.split()]


def decision(before: Any, members: Sequence[ObservedMember], pods: Pods, seconds: float = 0.0) -> Decision:
    """What `decide` wants with these pods around, that many seconds after NOW."""
    surroundings = Surroundings(pods={pod.uid: pod for pod in pods})
    return decide(before, members, at(seconds), surroundings=surroundings)


def outcome(before: Any, members: Sequence[ObservedMember], pods: Pods, seconds: float = 0.0) -> RendezvousStatus:
    """The status of that decision."""
    return decision(before, members, pods, seconds).status


# Last call --------------------------------------------------------------------------------------------------------


def test_the_first_round_skips_last_call_when_nobody_is_on_its_way() -> None:
    assert outcome(rendezvous(), joined("a b"), labelled("a b")).ranks == ("a", "b")


def test_with_no_pod_labelled_the_first_round_has_its_last_call() -> None:
    status = outcome(rendezvous(), joined("a b"), [])
    assert status.forming is not None
    assert (status.round, status.forming.deadline) == (0, at(30))


def test_a_formation_waits_for_a_pod_on_its_way_until_last_call_ends() -> None:
    pods = [*labelled("a b"), *labelled("c", "Pending")]
    first = decision(rendezvous(), joined("a b"), pods)
    assert first.status.forming is not None
    assert (first.status.state, first.status.forming.deadline) == (State.LAST_CALL, at(30))
    calling = then(rendezvous(), first)
    assert outcome(calling, joined("a b"), pods, 29.9).round == 0
    assert outcome(calling, joined("a b"), pods, 30).ranks == ("a", "b")
    assert outcome(calling, joined("a b c"), labelled("a b c"), 4).ranks == ("a", "b", "c"), "it came: nobody else will"


@pytest.mark.parametrize(
    "not_coming",
    [
        pytest.param(labelled("c", "Failed"), id="failed"),
        pytest.param(labelled("c", "Succeeded"), id="succeeded"),
        pytest.param(labelled("c", deleting=True), id="being deleted"),
        pytest.param(labelled("c", disruption="Preempted"), id="about to be evicted"),
        pytest.param(
            labelled("c", container=ObservedContainer(running_since=at(-120))),
            id="runs for 120 s without having joined",
        ),
        pytest.param([], id="gone"),
    ],
)
def test_a_pod_that_will_not_come_is_not_waited_for(not_coming: Pods) -> None:
    assert outcome(rendezvous(), joined("a b"), [*labelled("a b"), *not_coming]).ranks == ("a", "b")


@pytest.mark.parametrize(
    "coming",
    [
        pytest.param(labelled("c", "Pending"), id="pending"),
        pytest.param(labelled("c", container=ObservedContainer(running_since=at(-119))), id="runs for less than 120 s"),
        pytest.param(labelled("c", container=ObservedContainer()), id="its container is about to be started again"),
    ],
)
def test_a_pod_that_may_come_is_waited_for(coming: Pods) -> None:
    assert outcome(rendezvous(), joined("a b"), [*labelled("a b"), *coming]).round == 0


def test_a_survivors_round_waits_for_the_replacement_on_its_way() -> None:
    before = stands("a b c", status={"forming": told()})
    survivors, pods = joined("a b", after_round=3), [*labelled("a b"), *labelled("d", "Pending")]
    assert outcome(before, survivors, pods).round == 3
    assert outcome(before, survivors, labelled("a b")).ranks == ("a", "b")


def test_a_full_world_waits_for_nobody() -> None:
    pods = [*labelled("a b c d"), *labelled("e", "Pending")]
    assert outcome(rendezvous(), joined("a b c d"), pods).ranks == ("a", "b", "c", "d")


def test_too_few_members_are_never_enough_even_if_nobody_is_on_its_way() -> None:
    status = outcome(rendezvous(), joined("a"), labelled("a"))
    assert status.forming is not None
    assert (status.round, status.forming.deadline) == (0, None)


# Who is waited for ------------------------------------------------------------------------------------------------


def test_waiting_for_names_the_pods_with_what_holds_them() -> None:
    pods = [
        *labelled("a"),
        *labelled("c", "Pending", holdup="Pending: 0/3 nodes are available: insufficient nvidia.com/gpu"),
        *labelled("b", "Pending", holdup="ImagePullBackOff"),
        *labelled("d", "Pending"),
    ]
    status = outcome(rendezvous(), joined("a"), pods)
    assert status.forming is not None
    assert status.forming.waiting_for == (
        "b (ImagePullBackOff)",
        "c (Pending: 0/3 nodes are available: insufficient nvidia.com/gpu)",
        "d (starting)",
    )


def test_members_that_have_to_come_back_are_named_before_pods() -> None:
    before = stands("a b", status={"forming": told()})
    pods = [*labelled("a b"), *labelled("x", "Pending", holdup="ImagePullBackOff")]
    status = outcome(before, [*joined("a", after_round=3), *joined("b")], pods)
    assert status.forming is not None
    assert status.forming.waiting_for == ("b", "x (ImagePullBackOff)")


def test_at_most_ten_are_named_and_each_briefly() -> None:
    pods = labelled(" ".join(f"pod-{n:02}" for n in range(20)), "Pending", holdup="x" * 500)
    status = outcome(rendezvous(), [], pods)
    assert status.forming is not None
    assert (len(status.forming.waiting_for), max(map(len, status.forming.waiting_for))) == (10, 253)


# Growth -----------------------------------------------------------------------------------------------------------


def test_growth_does_not_gather_when_nobody_else_is_coming() -> None:
    status = outcome(stands("a b"), joined("a b late"), labelled("a b late"))
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts, status.state) == ("Growth", True, State.REFORMING)


def test_growth_gathers_while_another_pod_is_on_its_way() -> None:
    pods = [*labelled("a b late"), *labelled("later", "Pending", holdup="ContainerCreating")]
    status = outcome(stands("a b"), joined("a b late"), pods)
    assert status.forming is not None
    assert (status.forming.interrupts, status.forming.deadline) == (False, at(30))
    assert status.forming.waiting_for == ("later (ContainerCreating)",)


def test_pods_on_their_way_alone_disturb_no_round() -> None:
    status = outcome(stands("a b"), joined("a b"), [*labelled("a b"), *labelled("c", "Pending")])
    assert (status.forming, status.state) == (None, State.ACTIVE)


# Members that have to go ------------------------------------------------------------------------------------------

GOING = [*labelled("a b"), *labelled("c", deleting=True)]


def test_survivors_and_the_leaver_are_told_at_once() -> None:
    status = outcome(stands("a b c"), joined("a b c"), GOING)
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts) == ("PodTerminating", True)
    assert "c" in status.ranks, "the leaver reads there that its round is being replaced"
    assert decision(stands("a b c"), joined("a b c"), GOING).expel_first == (), "it may still save a checkpoint"


def test_a_departing_member_is_not_waited_for() -> None:
    before = stands("a b c", status={"forming": told(reason="PodTerminating")})
    status = outcome(before, [*joined("a", after_round=3), *joined("b c")], GOING)
    assert status.forming is not None
    assert status.forming.waiting_for == ("b",)
    assert outcome(before, [*joined("a b", after_round=3), *joined("c")], GOING).ranks == ("a", "b")


def test_a_departing_member_is_never_chosen_even_if_the_world_stays_too_small() -> None:
    before = stands("a b c", min_nodes=3, status={"forming": told(reason="PodTerminating")})
    status = outcome(before, joined("a b c", after_round=3), GOING, 3600)
    assert (status.round, status.forming and status.forming.arrived) == (3, 2)


def test_a_member_that_has_stepped_aside_is_a_loss_at_once_and_nobody_waits_for_its_pod() -> None:
    aside = joined("c", leaving=True, preparing=True)
    status = outcome(stands("a b c"), [*joined("a b"), *aside], labelled("a b c"))
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts) == ("MemberPreparing", True)
    before = stands("a b c", status={"forming": told(reason="MemberPreparing")})
    assert outcome(before, [*joined("a b", after_round=3), *aside], labelled("a b c")).ranks == ("a", "b")


def test_a_member_that_has_stepped_aside_comes_back_as_another_incarnation() -> None:
    aside, again = joined("c", leaving=True, preparing=True), seen("c-2", pod_uid="pod-of-c")
    made = decision(stands("a b"), [*joined("a b"), *aside, again], labelled("a b c"))
    assert made.status.forming is not None
    assert made.status.forming.reason == "Growth"


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_departing_newcomer_is_not_chosen_either(name: str) -> None:
    pods = [pod if pod.name != name else labelled(name, deleting=True)[0] for pod in labelled("a b c")]
    assert set(outcome(rendezvous(), joined("a b c"), pods).ranks) == {"a", "b", "c"} - {name}


def test_a_leaver_that_joined_again_is_not_chosen_and_keeps_its_object() -> None:
    before = stands("a b c", status={"forming": told(reason="PodTerminating")})
    made = decision(before, joined("a b c", after_round=3), GOING)
    assert (made.status.ranks, made.expel_first, made.expel_after) == (("a", "b"), (), ())
    assert made.status.standby == 0, "a spare is one that could take a place"


def test_a_leaver_that_has_not_arrived_at_publication_is_expelled() -> None:
    before = stands("a b c", status={"forming": told(reason="PodTerminating")})
    made = decision(before, [*joined("a b", after_round=3), *joined("c")], GOING)
    assert made.status.ranks == ("a", "b")
    assert [(e.member.name, e.reason, e.doubtful) for e in made.expel_first] == [("c", "NotArrived", False)]


def test_a_departing_member_without_a_rank_disturbs_no_round() -> None:
    made = decision(stands("a b", max_nodes=2), joined("a b c"), GOING)
    assert (made.status.forming, made.announcements) == (None, ())


def test_a_leaver_whose_notice_was_taken_back_is_taken_in_again() -> None:
    before = stands("a b c", status={"forming": told(reason="NodeDraining")})
    assert outcome(before, joined("a b c", after_round=3), labelled("a b c")).ranks == ("a", "b", "c")


def test_a_notice_is_announced_once() -> None:
    first = decision(stands("a b c"), joined("a b c"), GOING)
    assert [a.reason for a in first.announcements] == ["PodTerminating"]
    told_of_it = then(stands("a b c"), first)
    assert decision(told_of_it, joined("a b c"), GOING, 1).announcements == ()
    published = decision(told_of_it, [*joined("a b", after_round=3), *joined("c")], GOING, 2)
    assert [a.reason for a in published.announcements] == ["RoundFormed"]
    stood = then(told_of_it, published)
    assert decision(stood, joined("a b c", after_round=3), GOING, 3).announcements == ()


def test_the_loss_of_a_departing_member_needs_no_second_telling() -> None:
    first = decision(stands("a b c"), joined("a b c"), GOING)
    before = then(stands("a b c"), first)
    surroundings = Surroundings({p.uid: p for p in labelled("a b")}, gone_pods={"pod-of-c"})
    made = decide(before, joined("a b c"), at(9), surroundings=surroundings)
    assert made.status.forming is not None
    assert (made.status.forming.reason, made.status.forming.since) == ("PodTerminating", NOW)
    assert [(e.member.name, e.reason) for e in made.expel_after] == [("c", "PodDeleted")]


def test_a_replacement_on_its_way_is_waited_for_while_the_leaver_saves_its_checkpoint() -> None:
    before = stands("a b c", status={"forming": told(reason="PodTerminating")})
    pods = [*GOING, *labelled("d", "Pending")]
    assert outcome(before, joined("a b c", after_round=3), pods).round == 3
    members = [*joined("a b c", after_round=3), *joined("d")]
    assert outcome(before, members, [*GOING, *labelled("d")], 5).ranks == ("a", "b", "d")


@pytest.mark.parametrize("ranking", [Ranking(), Ranking(("zone",))], ids=["flat", "by zone"])
def test_a_spare_on_a_node_whose_maintenance_is_planned_comes_after_all_others(ranking: Ranking) -> None:
    before = stands("a b", max_nodes=2, ranking=ranking, status={"forming": told(), "domains": ("x", "x")})
    spares = [seen("c", node_name="n-1", pod_uid="pod-of-c"), seen("d", node_name="n-2", pod_uid="pod-of-d")]
    known = {
        "n-1": ObservedNode("n-1", {"zone": "x"}, maintenance="MaintenancePlanned"),
        "n-2": ObservedNode("n-2", {"zone": "y"}),
    }
    around = Surroundings(pods={pod.uid: pod for pod in labelled("a c d")}, nodes=known)
    members = [*joined("a", after_round=3), *spares]
    assert set(decide(before, members, at(1), surroundings=around).status.ranks) == {"a", "d"}
    assert set(decide(before, members[:2], at(1), surroundings=around).status.ranks) == {"a", "c"}, "better than nobody"


# Closed -----------------------------------------------------------------------------------------------------------


def closed_by_member(*, reopens_on_join: bool = False) -> Any:
    """A Rendezvous whose members have finished."""
    closed = Closed("a", NOW, BY_MEMBER, "closed by a: it is done", reopens_on_join)
    return stands("a b", status={"closed": closed}, reopen=Reopen.WHEN_EMPTY)


def test_what_a_member_closed_does_not_reopen_while_a_departing_member_is_there() -> None:
    closed = outcome(closed_by_member(), joined("a"), labelled("a", deleting=True)).closed
    assert closed is not None
    assert not closed.reopens_on_join


def test_what_a_member_closed_reopens_for_a_newcomer_but_not_for_one_that_has_to_go() -> None:
    before = closed_by_member(reopens_on_join=True)
    assert outcome(before, joined("new"), labelled("new", deleting=True)).closed is not None
    assert outcome(before, joined("new"), labelled("new")).closed is None
