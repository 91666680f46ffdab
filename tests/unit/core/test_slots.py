"""A slot is what the owner calls the pod, unique in the rendezvous."""

from collections.abc import Sequence
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, RendezvousStatus
from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine
from kube_rendezvous_core import Decision, ObservedMember, ObservedPod, Surroundings, decide
from kube_rendezvous_core.observed.pod_reading import read_pod
from unit.core.builders import at, rendezvous, round_of, seen, stands, then, told

LWS = "leaderworkerset.sigs.k8s.io"


def kube_pod(name: str, labels: dict[str, str] | None = None, owner: tuple[str, str] = ("", "")) -> dict[str, Any]:
    """A running Pod as the API server shows it."""
    kind, controller = owner
    owners = [{"kind": kind, "name": controller, "controller": True}] if kind else []
    return {
        "metadata": {"name": name, "uid": f"uid-of-{name}", "labels": labels or {}, "ownerReferences": owners},
        "spec": {"nodeName": ""},
        "status": {"phase": "Running"},
    }


def of_group(name: str, group: int, worker: int) -> dict[str, Any]:
    """A pod of a LeaderWorkerSet."""
    labels = {f"{LWS}/name": "run", f"{LWS}/group-index": str(group), f"{LWS}/worker-index": str(worker)}
    return kube_pod(name, labels, ("StatefulSet", "run" if worker == 0 else f"run-{group}"))


def of_job(job: str, index: int, suffix: str = "x7k2p") -> dict[str, Any]:
    """A pod of an Indexed Job."""
    labels = {"batch.kubernetes.io/job-name": job, "batch.kubernetes.io/job-completion-index": str(index)}
    return kube_pod(f"{job}-{index}-{suffix}", labels, ("Job", job))


def of_set(name: str, ordinal: int) -> dict[str, Any]:
    """A pod of a StatefulSet."""
    return kube_pod(f"{name}-{ordinal}", {"apps.kubernetes.io/pod-index": str(ordinal)}, ("StatefulSet", name))


def in_pods(pods: Sequence[dict[str, Any]], slots: Sequence[str], **fields: Any) -> list[ObservedMember]:
    """One member in each pod, with the slot that it says it has; its name is the pod's."""
    names = [pod["metadata"]["name"] for pod in pods]
    return [
        seen(name, pod_name=name, pod_uid=f"uid-of-{name}", slot=slot, **fields)
        for name, slot in zip(names, slots, strict=True)
    ]


def around(pods: Sequence[dict[str, Any]]) -> Surroundings:
    read: list[ObservedPod] = [read_pod(pod) for pod in pods]
    return Surroundings(pods={pod.uid: pod for pod in read})


def first_round(members: Sequence[ObservedMember], pods: Sequence[dict[str, Any]] = ()) -> RendezvousStatus:
    before = rendezvous(min_nodes=len(members), max_nodes=len(members))
    return decide(before, members, at(0), surroundings=around(pods)).status


GROUPS = [of_group("run-0", 0, 0), of_group("run-0-1", 0, 1), of_group("run-1", 1, 0), of_group("run-1-1", 1, 1)]
GROUP_GUESSES = ["0", "1", "1", "1"]
PAIR = [of_job("leader", 0), of_job("workers", 0), of_job("workers", 1)]


# What a slot is called -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False], ids=["pods labelled", "names alone"])
@pytest.mark.parametrize(
    ("pods", "guesses", "slots"),
    [
        pytest.param([of_set("run", n) for n in range(3)], ["0", "1", "2"], ("0", "1", "2"), id="a StatefulSet"),
        pytest.param([of_job("run", n) for n in range(3)], ["0", "1", "2"], ("0", "1", "2"), id="an Indexed Job"),
        pytest.param(PAIR, ["0", "0", "1"], ("leader/0", "workers/0", "workers/1"), id="two Jobs"),
        pytest.param(
            [of_job("js-node-0", 0), of_job("js-node-0", 1), of_job("js-node-1", 0), of_job("js-node-1", 1)],
            ["0", "1", "0", "1"],
            ("js-node-0/0", "js-node-0/1", "js-node-1/0", "js-node-1/1"),
            id="a JobSet of two Jobs",
        ),
        pytest.param(
            [of_set("a", 0), of_set("a", 1), of_set("b", 0), of_set("b", 1)],
            ["0", "1", "0", "1"],
            ("a/0", "a/1", "b/0", "b/1"),
            id="two StatefulSets",
        ),
        pytest.param(
            [kube_pod("job-master-0"), kube_pod("job-worker-0"), kube_pod("job-worker-1")],
            ["0", "0", "1"],
            ("job-master/0", "job-worker/0", "job-worker/1"),
            id="two roles of a PyTorchJob",
        ),
        pytest.param(
            [of_job("run", n) for n in range(2)], ["leader-0", "x"], ("leader-0", "x"), id="a slot that was said stays"
        ),
        pytest.param(
            PAIR, ["leader-0", "workers-0", "workers-1"], ("leader-0", "workers-0", "workers-1"), id="all said"
        ),
        pytest.param([kube_pod("run-6d4f-x7k2p"), kube_pod("run-6d4f-abcde")], ["", ""], ("", ""), id="a Deployment"),
    ],
)
def test_the_slot_is_what_the_owner_calls_the_pod(
    pods: list[dict[str, Any]], guesses: list[str], slots: tuple[str, ...], labelled: bool
) -> None:
    assert first_round(in_pods(pods, guesses), pods if labelled else []).slots == slots


def test_a_leader_worker_set_names_group_and_worker() -> None:
    status = first_round(in_pods(GROUPS, GROUP_GUESSES), GROUPS)
    assert status.slots == ("0-0", "0-1", "1-0", "1-1")
    assert status.ranks == ("run-0", "run-0-1", "run-1", "run-1-1")


def test_the_names_of_its_pods_alone_keep_their_slots_apart() -> None:
    assert len(set(first_round(in_pods(GROUPS, GROUP_GUESSES)).slots)) == 4


def test_labels_give_a_slot_to_a_member_that_does_not_know_its_pods_name() -> None:
    pods = [of_job("run", 1), of_job("run", 0)]
    assert first_round(in_pods(pods, ["", ""]), pods).slots == ("0", "1")


def test_a_name_too_long_for_a_slot_is_shortened_and_stays_unique() -> None:
    pods = [of_job("long-" * 12 + end, 0) for end in ("a", "b")]
    slots = first_round(in_pods(pods, ["0", "0"]), pods).slots
    assert len(set(slots)) == 2
    assert {len(slot) for slot in slots} == {63}


# What it is for ------------------------------------------------------------------------------------------------------


def test_the_replaced_worker_of_a_group_has_its_rank_again_and_moves_nobody() -> None:
    """Two go at once and come back in the other order: only their slots tell whose rank is whose."""
    names = "run-0 run-0-1 run-1 run-1-1"
    before = stands(names, status={"slots": ("0-0", "0-1", "1-0", "1-1"), "forming": told()}, min_nodes=4, max_nodes=4)
    survivors = in_pods([GROUPS[0], GROUPS[2]], ["0", "1"], after_round=3)
    again = [
        seen("again-1-1", pod_name="run-1-1", pod_uid="uid-of-run-1-1", slot="1"),
        seen("again-0-1", pod_name="run-0-1", pod_uid="uid-of-run-0-1", slot="1", created=at(1)),
    ]
    status = decide(before, [*survivors, *again], at(2), surroundings=around(GROUPS)).status
    assert status.ranks == ("run-0", "again-0-1", "run-1", "again-1-1")


def test_one_owner_is_named_on_while_the_other_ones_pods_are_away() -> None:
    before = stands("l w0 w1", status={"slots": ("leader/0", "workers/0", "workers/1"), "forming": told()})
    workers = in_pods(PAIR[1:], ["0", "1"], after_round=0)
    assert decide(before, workers, at(1), surroundings=around(PAIR[1:])).status.slots == ("workers/1", "workers/0")


def test_quarantine_leaves_out_what_died_and_not_the_pod_of_another_role_with_the_same_number() -> None:
    policy = FailurePolicy(quarantine=Quarantine(losses=1, window_seconds=600))
    roles = [kube_pod("job-master-0"), kube_pod("job-worker-0"), kube_pod("job-worker-1")]
    before = stands("job-master-0 job-worker-0 job-worker-1", failure_policy=policy)
    members = in_pods(roles, ["0", "0", "1"])
    dead = ObservedMember(members[1].member, silence=60.0)
    first = decide(before, [members[0], dead, members[2]], at(0))
    assert [place.place for place in first.status.quarantined] == ["slot/job-worker/0"]
    back = [
        seen(m.member.name, pod_name=m.member.pod_name, pod_uid=m.member.pod_uid, slot=m.member.slot, after_round=3)
        for m in (members[0], members[2])
    ]
    formed = decide(then(before, first), back, at(1))
    assert formed.status.ranks == ("job-master-0", "job-worker-1")


# Shared slots --------------------------------------------------------------------------------------------------------


def shared(decision: Decision) -> Condition | None:
    return next((c for c in decision.status.conditions if c.type == "SlotsShared"), None)


def living(name: str, slot: str, silence: float, known_for: float) -> ObservedMember:
    return ObservedMember(seen(name, slot=slot).member, silence, known_for=known_for)


def test_two_living_members_with_one_slot_are_named() -> None:
    found = shared(
        decide(rendezvous(), [living("a", "x", 1, 60), living("b", "x", 2, 30), living("c", "y", 1, 60)], at(0))
    )
    assert found is not None
    assert (found.status, found.reason) == ("True", "SameSlot")
    assert "a, b (slot x)" in found.message
    assert "--rdzv-conf slot=" in found.message


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([living("a", "x", 1, 60), living("b", "y", 2, 30)], id="different slots"),
        pytest.param([living("a", "", 1, 60), living("b", "", 2, 30)], id="no slots"),
        pytest.param([living("a", "x", 8, 60), living("b", "x", 1, 6)], id="the older one has not been heard since"),
        pytest.param([living("a", "x", 1, 60), living("b", "x", 6, 6)], id="the newer one has only just joined"),
        pytest.param([living("a", "x", 30, 60), living("b", "x", 1, 30)], id="the older one is lost"),
    ],
)
def test_a_replaced_member_and_its_replacement_share_no_slot(members: list[ObservedMember]) -> None:
    assert shared(decide(rendezvous(), members, at(0))) is None


def test_the_condition_is_over_when_each_has_its_own() -> None:
    first = decide(rendezvous(), [living("a", "x", 1, 60), living("b", "x", 2, 30)], at(0))
    over = shared(decide(then(rendezvous(), first), [living("a", "x", 1, 61)], at(1)))
    assert over is not None
    assert (over.status, over.reason) == ("False", "SlotsUnique")


def test_what_a_round_recorded_without_owners_is_no_reason_for_them() -> None:
    before = rendezvous(round_of("x y", slots=("0", "1"), forming=told()))
    pods = [of_set("run", 0), of_set("run", 1)]
    assert decide(before, in_pods(pods, ["0", "1"]), at(1), surroundings=around(pods)).status.slots == ("0", "1")
