"""What makes the pods tells how many come: a first round waits for them, survivors do not, and no alarm is false."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, Rendezvous, RendezvousStatus
from kube_rendezvous_core import (
    Decision,
    ObservedContainer,
    ObservedMember,
    ObservedOwner,
    ObservedPod,
    OwnerRef,
    Surroundings,
    decide,
)
from kube_rendezvous_core.observed.hindrance import Hindrance
from unit.core.builders import at, rendezvous, seen, stands, then, told

SET, JOB = OwnerRef("StatefulSet", "trainer"), OwnerRef("Job", "trainer")


def pods(names: str, owner: OwnerRef | None = SET, **fields: Any) -> list[ObservedPod]:
    container = ObservedContainer(running_since=at(-5))
    standard: dict[str, Any] = {"phase": "Running", "container": container, "owner": owner}
    return [ObservedPod(name, f"pod-of-{name}", **(standard | fields)) for name in names.split()]


def joined(names: str, **fields: Any) -> list[ObservedMember]:
    return [seen(name, pod_uid=f"pod-of-{name}", **fields) for name in names.split()]


def makes(count: int, ref: OwnerRef = SET, **fields: Any) -> ObservedOwner:
    return ObservedOwner(ref, count, count, f"replicas {count}", **fields)


def decided(
    before: Rendezvous,
    members: Sequence[ObservedMember],
    labelled: Sequence[ObservedPod],
    *owners: ObservedOwner,
    seconds: float = 0.0,
    refs: Sequence[OwnerRef] = (SET,),
) -> Decision:
    surroundings = Surroundings(
        pods={pod.uid: pod for pod in labelled}, owner_refs=refs, owners={owner.ref: owner for owner in owners}
    )
    return decide(before, members, at(seconds), surroundings=surroundings)


def condition(status: RendezvousStatus, kind: str) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)


def observed(before: Rendezvous) -> Rendezvous:
    """It was looked at before, under this spec."""
    return replace(before, status=replace(before.status, observed_generation=1))


# Who else comes ------------------------------------------------------------------------------------------------------


def test_a_first_round_waits_for_the_pods_that_their_owner_has_yet_to_make() -> None:
    made = decided(rendezvous(), joined("a b"), pods("a b"), makes(4, in_order=True))
    assert (made.status.round, made.status.forming and made.status.forming.deadline) == (0, at(30))
    assert made.status.forming is not None
    assert made.status.forming.waiting_for == ("StatefulSet trainer (2 more pods to be made)",)
    full = decided(then(rendezvous(), made), joined("a b c d"), pods("a b c d"), makes(4, in_order=True), seconds=5)
    assert full.status.ranks == ("a", "b", "c", "d")


def test_it_is_formed_at_once_when_the_owner_makes_no_more() -> None:
    assert decided(rendezvous(max_nodes=8), joined("a b"), pods("a b"), makes(2)).status.ranks == ("a", "b")


def test_one_that_makes_pods_in_order_makes_no_more_while_one_of_them_cannot_run() -> None:
    labelled = [*pods("a b"), *pods("c", phase="Pending", hindrance=Hindrance.UNSCHEDULABLE)]
    assert decided(rendezvous(), joined("a b"), labelled, makes(4, in_order=True)).status.ranks == ("a", "b")
    assert decided(rendezvous(), joined("a b"), labelled, makes(4)).status.round == 0


def test_survivors_do_not_wait_for_a_pod_that_is_not_even_made() -> None:
    before = stands("a b c", status={"forming": told()})
    made = decided(before, joined("a b", after_round=3), pods("a b", JOB), makes(3, JOB), refs=[JOB])
    assert made.status.ranks == ("a", "b")
    assert made.owners_to_read == ()


def test_a_growth_gathers_all_the_pods_that_their_owner_is_making() -> None:
    forming = decided(stands("a b"), joined("a b c"), pods("a b c"), makes(4, in_order=True)).status.forming
    assert forming is not None
    assert (forming.reason, forming.interrupts, forming.deadline) == ("Growth", False, at(30))


# When it is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "members", "labelled", "asked"),
    [
        pytest.param(observed(rendezvous()), joined("a b"), pods("a b"), True, id="a first round would be formed"),
        pytest.param(stands("a b"), joined("a b c"), pods("a b c"), True, id="a growth would tell everybody"),
        pytest.param(rendezvous(generation=2), joined("a"), pods("a"), True, id="the spec has not been looked at"),
        pytest.param(observed(rendezvous()), joined("a"), pods("a"), False, id="too few are here"),
        pytest.param(stands("a b"), joined("a b"), pods("a b"), False, id="a round stands"),
        pytest.param(stands("a b c"), joined("a b"), pods("a b"), False, id="one is lost"),
        pytest.param(
            stands("a b c", status={"forming": told()}),
            joined("a b", after_round=3),
            pods("a b"),
            False,
            id="survivors form a round",
        ),
        pytest.param(observed(rendezvous()), joined("a b"), pods("a b", None), True, id="of a pod that is gone"),
    ],
)
def test_the_owner_is_read_only_when_the_decision_rests_on_it(
    before: Rendezvous, members: list[ObservedMember], labelled: list[ObservedPod], asked: bool
) -> None:
    assert decided(before, members, labelled).owners_to_read == ((SET,) if asked else ())


def test_one_that_could_not_be_read_is_not_asked_for_again_and_counts_as_unknown() -> None:
    around = Surroundings(pods={p.uid: p for p in pods("a b")}, owner_refs=[SET], owners={SET: None})
    made = decide(rendezvous(), joined("a b"), at(0), surroundings=around)
    assert (made.owners_to_read, made.status.ranks) == ((), ("a", "b"))


# Too few for ever ----------------------------------------------------------------------------------------------------


def stalled_after(seconds: float, *owners: ObservedOwner, refs: Sequence[OwnerRef] = (JOB,)) -> Condition:
    """A round of two, of which one member is lost with its pod, that many seconds ago."""
    first = then(stands("a b"), decided(stands("a b"), joined("a"), pods("a", JOB), *owners, refs=refs))
    again = decided(first, joined("a", after_round=3), pods("a", JOB), *owners, seconds=seconds, refs=refs)
    found = condition(again.status, "Stalled")
    assert found is not None
    return found


def test_a_job_that_is_about_to_replace_a_pod_is_no_reason_for_an_alarm() -> None:
    assert stalled_after(12, makes(2, JOB)).status == "False"


def test_an_owner_that_makes_too_few_is_named_with_how_many() -> None:
    stalled = stalled_after(12, makes(1, JOB))
    assert (stalled.status, stalled.reason) == ("True", "Impossible")
    assert "no more are made (Job trainer: replicas 1): raise that, or lower spec.minNodes" in stalled.message


def test_a_suspended_owner_is_named_with_what_to_do() -> None:
    stalled = stalled_after(12, ObservedOwner(JOB, 2, 0, "parallelism 2", suspended=True))
    assert "Job trainer is suspended: resume it." in stalled.message


def test_it_is_said_even_when_the_suspended_owner_has_no_pod_left() -> None:
    suspended = ObservedOwner(JOB, 2, 0, "parallelism 2", suspended=True)
    first = then(stands("a b"), decided(stands("a b"), [], [], suspended, refs=[JOB]))
    stalled = condition(decided(first, [], [], suspended, seconds=12, refs=[JOB]).status, "Stalled")
    assert stalled is not None
    assert stalled.message.endswith("Job trainer is suspended: resume it.")


def test_without_knowing_the_owner_the_advice_says_that_it_may_still_replace_pods() -> None:
    assert "unless lost ones are still being replaced" in stalled_after(12).message
    assert "unless" not in stalled_after(12, refs=()).message


# Bounds that the owner does not fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "replicas", "reason"),
    [
        pytest.param({"min_nodes": 3, "max_nodes": 4}, 2, "TooFewReplicas", id="never enough"),
        pytest.param({"min_nodes": 2, "max_nodes": 4}, 2, "", id="elastic: it may grow"),
        pytest.param({"min_nodes": 2, "max_nodes": 4}, 4, "", id="as many as there are places"),
        pytest.param({"min_nodes": 2, "max_nodes": 4}, 5, "MoreReplicasThanPlaces", id="one never trains"),
        pytest.param({"min_nodes": 2, "max_nodes": 4, "max_spares": 1}, 5, "", id="one is a spare"),
        pytest.param({"min_nodes": 2, "max_nodes": 4, "max_spares": 1}, 6, "MoreReplicasThanPlaces", id="two"),
    ],
)
def test_bounds_that_the_owner_does_not_fit_are_named(spec: dict[str, Any], replicas: int, reason: str) -> None:
    found = condition(decided(rendezvous(**spec), joined("a"), pods("a"), makes(replicas)).status, "SizeMismatch")
    assert (found.reason if found is not None else "") == reason


def test_the_sentence_says_what_to_change() -> None:
    wrong = decided(rendezvous(min_nodes=3), joined("a"), pods("a"), makes(2))
    found = condition(wrong.status, "SizeMismatch")
    assert found is not None
    assert found.message == (
        "minNodes is 3, but there are never more than 2 pods (StatefulSet trainer: replicas 2): no round can be "
        "formed. Raise that, or lower spec.minNodes."
    )
    over = condition(
        decided(then(rendezvous(min_nodes=3), wrong), joined("a"), pods("a"), makes(3)).status, "SizeMismatch"
    )
    assert over is not None
    assert (over.status, over.reason) == ("False", "SizesFit")


@pytest.mark.parametrize(
    ("members", "labelled", "owners"),
    [
        pytest.param([*joined("a"), seen("outside")], pods("a"), [makes(1)], id="a member outside labelled pods"),
        pytest.param(joined("a"), [*pods("a"), *pods("b", None)], [makes(1)], id="a pod that nobody made"),
        pytest.param(joined("a"), pods("a"), [], id="nothing was read"),
    ],
)
def test_nothing_is_said_of_bounds_where_others_may_come(
    members: list[ObservedMember], labelled: list[ObservedPod], owners: list[ObservedOwner]
) -> None:
    assert condition(decided(rendezvous(), members, labelled, *owners).status, "SizeMismatch") is None
