"""Workers of a LeaderWorkerSet go with the leader of their group.

They belong to its pod: when that has ended, after its grace, Kubernetes deletes them. Until then nothing is said of
them, and a round that was formed with them would last for seconds.
"""

from collections.abc import Mapping
from dataclasses import replace

from kube_rendezvous_core.observed.surroundings import ObservedPod, OwnerRef, Surroundings

_KIND = "LeaderWorkerSet"
_LEADER = "0"


def with_orphans(surroundings: Surroundings) -> Surroundings:
    """With those workers as having to go whose leader is ending, is gone, or is another one than theirs was.

    Where no leader of a LeaderWorkerSet has the label of the rendezvous, nothing is known of them.
    """
    leaders: dict[OwnerRef, dict[str, ObservedPod]] = {}
    workers: list[tuple[OwnerRef, str, ObservedPod]] = []
    for pod in surroundings.pods.values():
        if pod.owner is None or pod.owner.kind != _KIND:
            continue
        group, _, index = pod.place.index.partition("-")
        if index != _LEADER:
            workers.append((pod.owner, group, pod))
        elif _counts_beside(pod, leaders.setdefault(pod.owner, {}).get(group)):
            leaders[pod.owner][group] = pod
    orphans = {
        worker.uid: replace(worker, disruption=why)
        for owner, group, worker in workers
        if not worker.disruption and (why := _why(worker, group, leaders.get(owner, {})))
    }
    return replace(surroundings, pods={**surroundings.pods, **orphans}) if orphans else surroundings


def _why(worker: ObservedPod, group: str, leaders: Mapping[str, ObservedPod]) -> str:
    """What a worker has to go for; "" if it need not."""
    if not leaders:
        return ""
    leader = leaders.get(group)
    if leader is None:
        return f"the leader of its group {group} is gone"
    if leader.deleting:
        return f"{leader.name}, the leader of its group, is being deleted"
    if leader.disruption:
        return f"so has {leader.name}, the leader of its group: {leader.disruption}"
    if worker.created is not None and leader.created is not None and worker.created < leader.created:
        return f"{leader.name}, the leader of its group, was replaced"
    return ""


def _counts_beside(leader: ObservedPod, other: ObservedPod | None) -> bool:
    """Of two leaders of a group the one that stays: a finalizer may keep one that has ended beside the next."""
    return other is None or other.deleting
