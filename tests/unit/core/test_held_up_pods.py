"""Pods that cannot run now hold nobody up: they are named, they still count, and they join by growth when they come."""

from collections.abc import Sequence
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, RendezvousStatus
from kube_rendezvous_core import Decision, ObservedContainer, ObservedMember, ObservedPod, Surroundings, decide
from kube_rendezvous_core.observed.hindrance import Hindrance
from unit.core.builders import at, rendezvous, seen, stands, then, told

Pods = Sequence[ObservedPod]


def running(names: str) -> list[ObservedPod]:
    """The pods of those members."""
    container = ObservedContainer(running_since=at(-5))
    return [ObservedPod(name, f"pod-of-{name}", "Running", container=container) for name in names.split()]


def hindered(name: str, by: Hindrance, holdup: str = "") -> ObservedPod:
    """A pod that cannot run now."""
    return ObservedPod(name, f"pod-of-{name}", "Pending", holdup=holdup or str(by), hindrance=by)


def starting(name: str) -> ObservedPod:
    """A pod that will run by itself."""
    return ObservedPod(name, f"pod-of-{name}", "Pending", holdup="ContainerCreating")


def joined(names: str, **fields: Any) -> list[ObservedMember]:
    return [seen(name, pod_uid=f"pod-of-{name}", **fields) for name in names.split()]


def decided(before: Any, members: Sequence[ObservedMember], pods: Pods, seconds: float = 0.0) -> Decision:
    return decide(before, members, at(seconds), surroundings=Surroundings(pods={pod.uid: pod for pod in pods}))


def held_up(status: RendezvousStatus) -> Condition | None:
    return next((c for c in status.conditions if c.type == "PodsHeldUp"), None)


@pytest.mark.parametrize("by", Hindrance)
def test_the_first_round_does_not_wait_for_a_pod_that_cannot_run(by: Hindrance) -> None:
    assert decided(rendezvous(), joined("a b"), [*running("a b"), hindered("c", by)]).status.ranks == ("a", "b")


@pytest.mark.parametrize("by", Hindrance)
def test_survivors_do_not_wait_for_a_replacement_that_cannot_run(by: Hindrance) -> None:
    before = stands("a b c", status={"forming": told()})
    survivors = joined("a b", after_round=3)
    assert decided(before, survivors, [*running("a b"), hindered("d", by)]).status.ranks == ("a", "b")


@pytest.mark.parametrize("by", Hindrance)
def test_a_growth_does_not_wait_for_a_pod_that_cannot_run(by: Hindrance) -> None:
    forming = decided(stands("a b"), joined("a b c"), [*running("a b c"), hindered("d", by)]).status.forming
    assert forming is not None
    assert (forming.reason, forming.interrupts) == ("Growth", True)


def test_a_pod_that_will_run_by_itself_is_waited_for_beside_one_that_cannot() -> None:
    pods = [*running("a b"), starting("c"), hindered("d", Hindrance.GATED)]
    status = decided(rendezvous(), joined("a b"), pods).status
    assert (status.round, status.forming and status.forming.deadline) == (0, at(30))


def test_it_joins_by_growth_when_its_hindrance_goes() -> None:
    before = then(rendezvous(), decided(rendezvous(), joined("a b"), [*running("a b"), hindered("c", Hindrance.GATED)]))
    come = decided(before, joined("a b c"), running("a b c"), 60)
    assert come.status.forming is not None
    assert (come.status.forming.reason, come.status.forming.interrupts) == ("Growth", True)
    grown = decided(then(before, come), [*joined("a b", after_round=1), *joined("c")], running("a b c"), 61)
    assert grown.status.ranks == ("a", "b", "c")


def test_while_too_few_are_here_it_is_named_after_those_that_will_come_and_counts_for_what_can_be_reached() -> None:
    pods = [*running("a"), hindered("b", Hindrance.IMAGE, "ImagePullBackOff: no such image"), starting("c")]
    first = decided(rendezvous(min_nodes=3), joined("a"), pods)
    assert first.status.forming is not None
    assert first.status.forming.waiting_for == ("c (ContainerCreating)", "b (ImagePullBackOff: no such image)")
    later = decided(then(rendezvous(min_nodes=3), first), joined("a"), pods, 12)
    assert next(c for c in later.status.conditions if c.type == "Stalled").status == "False"


# The condition ----------------------------------------------------------------------------------------------------


def test_while_a_round_stands_a_condition_names_the_pods_with_what_holds_them() -> None:
    pods = [
        *running("a b"),
        hindered("d", Hindrance.UNSCHEDULABLE, "Pending: 0/3 nodes are available"),
        hindered("c", Hindrance.GATED, "SchedulingGated: kueue.x-k8s.io/elastic-job"),
    ]
    condition = held_up(decided(stands("a b"), joined("a b"), pods).status)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == (
        "True",
        "SeveralReasons",
        "2 labelled pods cannot run now; no round waits for them, and each joins when it can: "
        "c (SchedulingGated: kueue.x-k8s.io/elastic-job); d (Pending: 0/3 nodes are available).",
    )


def test_one_kind_of_hindrance_is_the_reason_and_many_pods_are_counted() -> None:
    pods = [*running("a b"), *(hindered(f"p-{n}", Hindrance.CRASHING, "x" * 500) for n in range(9))]
    condition = held_up(decided(stands("a b"), joined("a b"), pods).status)
    assert condition is not None
    assert condition.reason == "CrashLoopBackOff"
    assert condition.message.startswith("9 labelled pods cannot run now")
    assert condition.message.endswith("; and 4 more.")


def test_the_condition_is_absent_as_long_as_it_never_held_and_false_afterwards() -> None:
    assert held_up(decided(stands("a b"), joined("a b"), running("a b")).status) is None
    before = stands("a b", max_nodes=2)
    held = then(before, decided(before, joined("a b"), [*running("a b"), hindered("c", Hindrance.GATED)]))
    over = held_up(decided(held, joined("a b"), running("a b c"), 5).status)
    assert over is not None
    assert (over.status, over.reason) == ("False", "NobodyHeldUp")


def test_a_pod_that_has_joined_or_has_to_go_is_not_among_them() -> None:
    gone = ObservedPod("c", "pod-of-c", "Pending", deleting=True, hindrance=Hindrance.GATED)
    crashed = ObservedPod("b", "pod-of-b", "Running", hindrance=Hindrance.CRASHING)
    status = decided(stands("a b"), joined("a b"), [*running("a"), crashed, gone]).status
    assert held_up(status) is None
