"""How many pods an object is to have, from what the API server shows of it."""

from typing import Any

import pytest

from kube_rendezvous_core import OwnerRef
from kube_rendezvous_core.observed.owner_reading import read_owner
from kube_rendezvous_core.observed.pod_reading import read_pod


def template(run: str = "run") -> dict[str, Any]:
    return {"metadata": {"labels": {"rendezvous.dev/name": run}}, "spec": {}}


def owner(kind: str, spec: dict[str, Any], status: dict[str, Any] | None = None, **meta: Any) -> Any:
    obj = {"metadata": {"name": "it", **meta}, "spec": spec, "status": status or {}}
    return read_owner(OwnerRef(kind, "it"), obj, "run")


def holds(kind: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True"}]}


def replicated(name: str, replicas: int, run: str = "run", **job: int) -> dict[str, Any]:
    return {"name": name, "replicas": replicas, "template": {"spec": {**job, "template": template(run)}}}


JOB = {"completions": 4, "parallelism": 3}
SETS = {"replicatedJobs": [replicated("workers", 2, parallelism=2, completions=2), replicated("data", 1, "")]}
GROUPS = {"replicas": 2, "leaderWorkerTemplate": {"size": 3, "workerTemplate": template()}}
WORKERS = {**GROUPS["leaderWorkerTemplate"], "leaderTemplate": template("")}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("kind", "spec", "status", "size", "wanted"),
    [
        ("StatefulSet", {"replicas": 4}, {}, 4, 4),
        ("StatefulSet", {}, {}, 1, 1),
        ("ReplicaSet", {"replicas": 0}, {}, 0, 0),
        ("Job", JOB, {}, 3, 3),
        ("Job", JOB, {"succeeded": 2}, 3, 2),
        ("Job", JOB, {"succeeded": 1, "failedIndexes": "0,2-3"}, 3, 0),
        ("Job", {**JOB, "suspend": True}, {}, 3, 0),
        ("Job", JOB, holds("Complete"), 3, 0),
        ("Job", JOB, holds("FailureTarget"), 3, 0),
        ("Job", {"parallelism": 5}, {}, 5, 5),
        ("Job", {"parallelism": 5}, {"succeeded": 1}, 5, 0),
        ("Job", {}, {}, 1, 1),
        ("JobSet", SETS, {}, 4, 4),
        ("JobSet", SETS, {"replicatedJobsStatus": [{"name": "workers", "succeeded": 1}]}, 4, 2),
        ("JobSet", {**SETS, "suspend": True}, {}, 4, 0),
        ("JobSet", SETS, {"terminalState": "Completed"}, 4, 0),
        ("LeaderWorkerSet", GROUPS, {}, 6, 6),
        ("LeaderWorkerSet", {**GROUPS, "leaderWorkerTemplate": WORKERS}, {}, 4, 4),
    ],
)
def test_how_many_pods_it_is_to_have(
    kind: str, spec: dict[str, Any], status: dict[str, Any], size: int, wanted: int
) -> None:
    read = owner(kind, spec, status)
    assert (read.size, read.wanted) == (size, wanted)


def test_one_that_is_being_deleted_makes_no_more() -> None:
    assert owner("StatefulSet", {"replicas": 4}, deletionTimestamp="2026-03-01T12:00:00Z").wanted == 0


@pytest.mark.parametrize(("policy", "in_order"), [(None, True), ("OrderedReady", True), ("Parallel", False)])
def test_a_stateful_set_makes_its_pods_in_order_unless_told_otherwise(policy: str | None, in_order: bool) -> None:
    assert owner("StatefulSet", {"podManagementPolicy": policy} if policy else {}).in_order is in_order


@pytest.mark.parametrize("kind", ["Job", "JobSet"])
def test_suspension_is_told_apart_from_an_end(kind: str) -> None:
    spec = JOB if kind == "Job" else SETS
    assert owner(kind, {**spec, "suspend": True}).suspended
    assert not owner(kind, spec, holds("Failed")).suspended


@pytest.mark.parametrize(
    ("labels", "controller", "made_by"),
    [
        ({}, ("StatefulSet", "trainer"), OwnerRef("StatefulSet", "trainer")),
        ({}, ("ReplicaSet", "trainer-5d4f"), OwnerRef("ReplicaSet", "trainer-5d4f")),
        ({"jobset.sigs.k8s.io/jobset-name": "js"}, ("Job", "js-workers-0"), OwnerRef("JobSet", "js")),
        ({"leaderworkerset.sigs.k8s.io/name": "lws"}, ("StatefulSet", "lws-0"), OwnerRef("LeaderWorkerSet", "lws")),
        ({}, ("PyTorchJob", "trainer"), None),
        ({}, ("", ""), None),
    ],
)
def test_what_made_a_pod_is_the_outermost_object_that_is_known(
    labels: dict[str, str], controller: tuple[str, str], made_by: OwnerRef | None
) -> None:
    kind, name = controller
    owners = [{"kind": "Other", "name": "other"}, {"kind": kind, "name": name, "controller": True}]
    meta = {"name": "p-0", "uid": "u", "labels": labels, "ownerReferences": owners if kind else []}
    assert read_pod({"metadata": meta}).owner == made_by
