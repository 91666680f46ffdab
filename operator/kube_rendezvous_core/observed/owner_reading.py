"""Reads how many pods a Job, StatefulSet, ReplicaSet, JobSet or LeaderWorkerSet is to have, from what the API server
shows of it."""

from collections.abc import Callable, Mapping
from typing import Any

from kube_rendezvous.resources.names import NAME_LABEL
from kube_rendezvous_core.observed.surroundings import ObservedOwner, OwnerRef

Raw = Mapping[str, Any]


def read_owner(ref: OwnerRef, obj: Raw, run: str) -> ObservedOwner:
    """Read the owner of pods.

    Args:
        ref: which it is.
        obj: as the API server shows it.
        run: name of the Rendezvous: of what has several pod templates, those labelled for it count.
    """
    owner = _READERS[ref.kind](ref, obj, run)
    if "deletionTimestamp" in obj["metadata"]:
        return ObservedOwner(ref, owner.size, 0, owner.how)
    return owner


def _job(ref: OwnerRef, obj: Raw, _: str) -> ObservedOwner:
    spec, status = obj["spec"], obj.get("status") or {}
    size, suspended = _pods_of_job(spec), bool(spec.get("suspend"))
    completions, succeeded = spec.get("completions"), int(status.get("succeeded") or 0)
    left = size
    if completions is not None:
        left = min(size, int(completions) - succeeded - _count(str(status.get("failedIndexes") or "")))
    elif succeeded:
        left = 0  # a work queue of which one has finished starts no others
    if suspended or _holds(status, "Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"):
        left = 0
    return ObservedOwner(ref, size, max(0, left), f"parallelism {size}", suspended)


def _pods_of_job(spec: Raw) -> int:
    parallelism, completions = spec.get("parallelism"), spec.get("completions")
    size = 1 if parallelism is None else int(parallelism)
    return size if completions is None else min(size, int(completions))


def _count(indexes: str) -> int:
    """How many numbers "1,3-5,7" names."""
    ends = [part.split("-") for part in indexes.split(",") if part]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _stateful_set(ref: OwnerRef, obj: Raw, _: str) -> ObservedOwner:
    size = _replicas(obj["spec"])
    in_order = obj["spec"].get("podManagementPolicy", "OrderedReady") != "Parallel"
    return ObservedOwner(ref, size, size, f"replicas {size}", in_order=in_order)


def _replica_set(ref: OwnerRef, obj: Raw, _: str) -> ObservedOwner:
    size = _replicas(obj["spec"])
    return ObservedOwner(ref, size, size, f"replicas {size}")


def _job_set(ref: OwnerRef, obj: Raw, run: str) -> ObservedOwner:
    spec, status = obj["spec"], obj.get("status") or {}
    succeeded = {one["name"]: int(one.get("succeeded") or 0) for one in status.get("replicatedJobsStatus") or ()}
    size = wanted = 0
    for replicated in spec.get("replicatedJobs") or ():
        template = replicated["template"]["spec"]
        if _is_labelled(template["template"], run):
            pods, jobs = _pods_of_job(template), _replicas(replicated)
            size += pods * jobs
            wanted += pods * max(0, jobs - succeeded.get(replicated["name"], 0))
    suspended = bool(spec.get("suspend"))
    if suspended or status.get("terminalState") or _holds(status, "Completed", "Failed"):
        wanted = 0
    return ObservedOwner(ref, size, wanted, f"{size} pods in its replicatedJobs", suspended)


def _leader_worker_set(ref: OwnerRef, obj: Raw, run: str) -> ObservedOwner:
    spec = obj["spec"]
    template, groups = spec["leaderWorkerTemplate"], _replicas(spec)
    workers = template["workerTemplate"]
    leaders = template.get("leaderTemplate") or workers
    nodes = int(template.get("size") or 1)
    size = groups * (_is_labelled(leaders, run) + (nodes - 1) * _is_labelled(workers, run))
    return ObservedOwner(ref, size, size, f"replicas {groups}, size {nodes}")


def _replicas(spec: Raw) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def _is_labelled(template: Raw, run: str) -> bool:
    labels = (template.get("metadata") or {}).get("labels") or {}
    return bool(labels.get(NAME_LABEL) == run)


def _holds(status: Raw, *kinds: str) -> bool:
    return any(c.get("type") in kinds and c.get("status") == "True" for c in status.get("conditions") or ())


_READERS: dict[str, Callable[[OwnerRef, Raw, str], ObservedOwner]] = {
    "Job": _job,
    "StatefulSet": _stateful_set,
    "ReplicaSet": _replica_set,
    "JobSet": _job_set,
    "LeaderWorkerSet": _leader_worker_set,
}

COLLECTIONS = {
    "Job": ("/apis/batch/v1", "jobs"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "JobSet": ("/apis/jobset.x-k8s.io/v1alpha2", "jobsets"),
    "LeaderWorkerSet": ("/apis/leaderworkerset.x-k8s.io/v1", "leaderworkersets"),
}
"""Where each kind that can be read is: the API, and its plural there."""
