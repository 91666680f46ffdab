"""`kubectl rendezvous explain` names each signal of docs/signals.md as a cause, in words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, Forming
from kube_rendezvous_core import ObservedNode, ObservedPod, ObservedPodGroup, OwnerRef
from kube_rendezvous_core.observed.surroundings import OwnedPlace
from kubectl_rendezvous.causes import find_causes
from kubectl_rendezvous.observation import Hold, Observation, SeenPod
from unit.docs.test_signals_page import ROWS
from unit.kubectl.observations import ago, member, observe, pod, rendezvous, standing

SET, GANG = OwnerRef("LeaderWorkerSet", "set"), OwnerRef("PodGroup", "gang")


def of_two(*pods: SeenPod, said: str = "", **parts: Any) -> Observation:
    """A round of `a` in pod p-0 on node n-0 and `b` in p-1 on n-1; a condition that the operator wrote."""
    conditions = (Condition(said, "True", "Reason", "What is wrong.", ago(5)),) if said else ()
    own = (member("a", pod="p-0", node_name="n-0"), member("b", pod="p-1", node_name="n-1"))
    status = standing("a b", conditions=conditions)
    return observe(rendezvous(status), members=own, pods=pods or (pod("p-0"), pod("p-1")), **parts)


def without_member(hold: Hold, why: str) -> Observation:
    """A third pod, whose process has not joined or has ended."""
    seen = of_two()
    return replace(seen, pods=(*(seen.pods or ()), pod("p-2", hold=hold, why=why)))


def known(name: str, leaving: str = "", **fields: Any) -> SeenPod:
    """A pod as the operator sees it."""
    observed = ObservedPod(name, f"uid-of-{name}", "Running", disruption=leaving, **fields)
    return pod(name, leaving=leaving, observed=observed)


def on(**node: str) -> Observation:
    """What node n-0 says of itself."""
    return of_two(nodes={"n-0": ObservedNode("n-0", **node), "n-1": ObservedNode("n-1")})  # type: ignore[arg-type]


LEADER = known("p-0", "it is being deleted", owner=SET, place=OwnedPlace("set", "0-0"))
WORKER = known("p-1", owner=SET, place=OwnedPlace("set", "0-1"))
WHOLE_GANG = {GANG: ObservedPodGroup(GANG, together=True)}

# By how the row begins: what is seen, the cause, and words of its sentence.
NAMED: Mapping[str, list[tuple[Observation, str, str]]] = {
    "pod deleted": [
        (
            of_two(pod("p-0", leaving="it is being deleted"), pod("p-1")),
            "PodsHaveToGo",
            "Pod p-0 (rank 0) has to go: it is being deleted.",
        ),
    ],
    "container ended": [
        (
            without_member(Hold.WITHOUT_PROCESS, "its container ended (exit code 137, OOMKilled)"),
            "PodsWithoutProcess",
            "Pod p-2 is without its process: its container ended (exit code 137, OOMKilled).",
        ),
    ],
    "all containers restarted in place": [
        (
            without_member(Hold.WITHOUT_PROCESS, "all its containers are being restarted in place"),
            "PodsWithoutProcess",
            "Pod p-2 is without its process: all its containers are being restarted in place.",
        ),
    ],
    "`DisruptionTarget`": [
        (
            of_two(pod("p-0"), pod("p-1", leaving="EvictionByEvictionAPI")),
            "PodsHaveToGo",
            "Pod p-1 (rank 1) has to go: EvictionByEvictionAPI.",
        ),
    ],
    "leader of a LeaderWorkerSet": [
        (
            of_two(LEADER, WORKER),
            "PodsHaveToGo",
            "Pod p-1 (rank 1) has to go: so has p-0, the leader of its group: it is being deleted.",
        ),
    ],
    "taint of an autoscaler": [
        (
            on(draining="karpenter.sh/disrupted"),
            "NodeDraining",
            "Node n-0 has to be left (karpenter.sh/disrupted): its pods must go (p-0).",
        ),
    ],
    "taint `readiness": [
        (
            on(draining="readiness.k8s.io/NetworkReady"),
            "NodeDraining",
            "Node n-0 has to be left (readiness.k8s.io/NetworkReady): its pods must go (p-0).",
        ),
    ],
    "node condition `GracefulNodeShutdownInProgress`": [
        (
            on(draining="DrainInProgress: the kernel is replaced"),
            "NodeDraining",
            "Node n-0 has to be left (DrainInProgress: the kernel is replaced): its pods must go (p-0).",
        ),
    ],
    "node condition `MaintenancePlanned`": [
        (
            on(maintenance="MaintenancePlanned: on Sunday"),
            "MaintenancePlanned",
            "Node n-0 will have to be left some day (MaintenancePlanned: on Sunday): p-0 runs there.",
        ),
    ],
    "device of a pod": [(of_two(said="DevicesUnhealthy"), "DevicesUnhealthy", "What is wrong.")],
    "resize of a pod": [],  # nothing is done about it
    "pod gated": [
        (
            without_member(Hold.GATED, "SchedulingGated: queue"),
            "PodsGated",
            "is held back by a scheduling gate: queue.",
        ),
        (without_member(Hold.UNSCHEDULED, "no GPU"), "PodsNotScheduled", "Pod p-2 cannot be scheduled: no GPU."),
        (without_member(Hold.IMAGE, "ErrImagePull"), "ImageNotPulled", "Pod p-2 cannot start for want of the image"),
        (without_member(Hold.CRASHING, "CrashLoopBackOff"), "ContainersCrash", "Pod p-2 crashes before joining"),
        (without_member(Hold.MISCONFIGURED, "no Secret"), "ContainersNotCreated", "Pod p-2 cannot start its container"),
    ],
    "topology labels": [(of_two(said="TopologyUnknown"), "TopologyUnknown", "What is wrong.")],
    "replicas of the owner": [(of_two(said="SizeMismatch"), "SizeMismatch", "What is wrong.")],
    "`EvictionRequest`": [(of_two(said="EvictionsRequested"), "EvictionsRequested", "What is wrong.")],
    "PodGroup": [
        (of_two(said="GangMismatch"), "GangMismatch", "What is wrong."),
        (of_two(said="PodGroupHeldUp"), "PodGroupHeldUp", "What is wrong."),
        (of_two(said="TopologyFromPodGroup"), "TopologyFromPodGroup", "What is wrong."),
        (
            of_two(known("p-0", "PreemptionByScheduler", group=GANG), known("p-1", group=GANG), groups=WHOLE_GANG),
            "PodsHaveToGo",
            "Pod p-1 (rank 1) has to go: so has all of its PodGroup gang (p-0: PreemptionByScheduler).",
        ),
    ],
}
CASES = [pytest.param(*case, id=f"{start}: {case[1]}") for start, cases in NAMED.items() for case in cases]


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:40] for row in ROWS])
def test_each_row_of_the_table_is_tried(row: str) -> None:
    assert len([start for start in NAMED if row.removeprefix("| ").startswith(start)]) == 1


@pytest.mark.parametrize(("seen", "cause", "words"), CASES)
def test_a_signal_is_a_cause_in_words(seen: Observation, cause: str, words: str) -> None:
    sentences = [finding.sentence for finding in find_causes(seen) if finding.cause == cause]
    assert any(words in sentence for sentence in sentences), sentences


def test_who_goes_with_another_is_not_said_to_be_late() -> None:
    seen = of_two(LEADER, WORKER)
    forming = Forming(4, "PodTerminating", "a goes", True, ago(20), arrived=0, required=2)
    told = replace(seen, seen=rendezvous(standing("a b", forming=forming)))
    assert "NotJoinedAgain" not in {finding.cause for finding in find_causes(told)}
