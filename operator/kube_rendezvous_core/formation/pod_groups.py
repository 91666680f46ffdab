"""What the PodGroups of the pods say (scheduling.k8s.io): how many start together, and what is near to what.

They are asked for only where pods name them, and only before a round is published or a new spec is looked at, or when
a pod of theirs cannot be scheduled or has to go (`Decision.owners_to_read`). Nothing is required: what cannot be read
says nothing.
"""

from dataclasses import replace

from kube_rendezvous.resources import Ranking, RendezvousSpec
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.observed.hindrance import Hindrance
from kube_rendezvous_core.observed.surroundings import ObservedPod, ObservedPodGroup, OwnerRef, Surroundings

GANG_MISMATCH = "GangMismatch"
POD_GROUP_HELD_UP = "PodGroupHeldUp"
TOPOLOGY_FROM_POD_GROUP = "TopologyFromPodGroup"
_NAMED = 5
_SHOWN = 150  # characters of what holds one up


def unread_groups(surroundings: Surroundings) -> tuple[OwnerRef, ...]:
    """The PodGroups that pods name and nobody has tried to read."""
    return tuple(ref for ref in _refs(surroundings) if ref not in surroundings.groups)


def groups_in_question(surroundings: Surroundings) -> tuple[OwnerRef, ...]:
    """Those that nobody has tried to read and one of whose pods cannot be scheduled or has to go."""
    pods = (pod for pod in surroundings.pods.values() if pod.disruption or _is_unscheduled(pod))
    refs = {pod.group for pod in pods if pod.group is not None}
    return tuple(sorted(ref for ref in refs if ref not in surroundings.groups))


def held_by_their_groups(surroundings: Surroundings) -> Surroundings:
    """With those pods as gated that have no gate (any more) while another of their PodGroup has one.

    The scheduler (of Kubernetes 1.37) takes up the pods of a group that have no node yet together, or none of them.
    """
    pods = surroundings.pods.values()
    gated = {pod.group: pod for pod in pods if pod.group is not None and pod.hindrance is Hindrance.GATED}
    held = {
        pod.uid: replace(pod, hindrance=Hindrance.GATED, holdup=f"PodGroup {pod.group.name}: {gated[pod.group].holdup}")
        for pod in (pods if gated else ())
        if pod.group is not None and pod.group in gated and not pod.node_name and pod.hindrance is None
    }
    return replace(surroundings, pods={**surroundings.pods, **held}) if held else surroundings


def held_up_groups(surroundings: Surroundings) -> Notice:
    """The condition that names groups that have never been scheduled, while pods of theirs cannot be."""
    refs = sorted({pod.group for pod in surroundings.pods.values() if pod.group is not None and _is_unscheduled(pod)})
    groups = [surroundings.groups.get(ref) for ref in refs]
    held_up = [group for group in groups if group is not None and group.held_up]
    named = "; ".join(f"{group.ref.name} ({group.held_up[:_SHOWN]})" for group in held_up[:_NAMED])
    return Notice(
        POD_GROUP_HELD_UP,
        None if any(ref not in surroundings.groups for ref in refs) else bool(held_up),
        "NotScheduled",
        f"PodGroups have not been scheduled yet: {named}. Their pods come together, when there is room for all that "
        "gang.minCount asks for.",
        "Scheduled",
        "No PodGroup waits to be scheduled.",
    )


def _is_unscheduled(pod: ObservedPod) -> bool:
    return pod.hindrance is Hindrance.UNSCHEDULABLE


def followed(ranking: Ranking, surroundings: Surroundings) -> Ranking:
    """`spec.ranking` with the topology keys of the PodGroups, if it names none and all of them name the same."""
    keys = _common_keys(surroundings)
    return replace(ranking, topology_keys=keys) if keys and not ranking.topology_keys else ranking


def topology_from_groups(ranking: Ranking, surroundings: Surroundings) -> Notice:
    """The condition that says whose topology the ranks follow."""
    keys, names = _common_keys(surroundings), ", ".join(ref.name for ref in _refs(surroundings)[:5])
    return Notice(
        TOPOLOGY_FROM_POD_GROUP,
        None if unread_groups(surroundings) else bool(keys) and not ranking.topology_keys,
        "SchedulingConstraints",
        f"Ranks follow the node labels {', '.join(keys)}, as PodGroup {names} says: spec.ranking names none.",
        "NoneFollowed",
        "Ranks follow spec.ranking, not a PodGroup.",
    )


def gang_mismatch(spec: RendezvousSpec, surroundings: Surroundings) -> Notice:
    """The condition that names a gang which does not fit the bounds of the world.

    Known only where all pods are in one group: of several, each starts by itself.
    """
    reason = message = ""
    group = _only_group(surroundings)
    if group is not None and group.min_count:
        reason, message = _misfit(spec, group)
    return Notice(
        GANG_MISMATCH,
        None if unread_groups(surroundings) else bool(reason),
        reason,
        message,
        "GangFits",
        "minNodes and maxNodes fit the PodGroup.",
    )


def _misfit(spec: RendezvousSpec, group: ObservedPodGroup) -> tuple[str, str]:
    gang = f"PodGroup {group.ref.name} starts its pods when {group.min_count} of them fit (gang.minCount)"
    if group.min_count < spec.min_nodes:
        return "GangTooSmall", (
            f"{gang}, but minNodes is {spec.min_nodes}: those that run may wait for others that never fit, and hold "
            f"their devices. Set minCount to {spec.min_nodes}, or lower spec.minNodes."
        )
    if group.min_count > spec.max_nodes + (spec.max_spares or 0):
        return "GangTooLarge", (
            f"{gang}, but maxNodes is {spec.max_nodes}: some of them never train. Lower minCount, raise "
            "spec.maxNodes, or say with spec.standby.max that they are spares."
        )
    return "", ""


def _refs(surroundings: Surroundings) -> tuple[OwnerRef, ...]:
    return tuple(sorted({pod.group for pod in surroundings.pods.values() if pod.group is not None}))


def _common_keys(surroundings: Surroundings) -> tuple[str, ...]:
    groups = [surroundings.groups.get(ref) for ref in _refs(surroundings)]
    keys = {group.topology_keys if group is not None else () for group in groups}
    return keys.pop() if len(keys) == 1 else ()


def _only_group(surroundings: Surroundings) -> ObservedPodGroup | None:
    refs = {pod.group for pod in surroundings.pods.values()}
    ref = refs.pop() if len(refs) == 1 else None
    return surroundings.groups.get(ref) if ref is not None else None
