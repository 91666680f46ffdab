"""What a member's pod and node say about it, and which pods are still on their way.

Design section 4: lost = pod deleted, finished, or its container ended or restarted (in place, with all others of the
pod, as well); each acts at once, heartbeats catch the rest. A notice that comes before the end (eviction or a request
for it, drain, preemption, deletion with grace) makes a member *departing*: the next round is formed without it while it
can still save a checkpoint.

Container times are compared with the member's own heartbeat time, never with ours: the kubelet and the member read the
same node's clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from kube_rendezvous.resources import Member
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core.observed.surroundings import ObservedContainer, ObservedPod, OwnerRef, Surroundings

POD_DELETED = "PodDeleted"
POD_FINISHED = "PodFinished"
POD_TERMINATING = "PodTerminating"
POD_EVICTED = "PodEvicted"
EVICTION_REQUESTED = "EvictionRequested"
CONTAINER_ENDED = "ContainerEnded"
CONTAINER_RESTARTED = "ContainerRestarted"
CONTAINERS_RESTARTING = "ContainersRestarting"
NODE_GONE = "NodeGone"
NODE_DRAINING = "NodeDraining"
DEVICE_UNHEALTHY = "DeviceUnhealthy"

ENDED = ("Succeeded", "Failed")
NO_GROUPS: Mapping[OwnerRef, str] = MappingProxyType({})

JOINS_WITHIN_SECONDS = 120.0
"""A pod whose container runs for longer without having joined is not waited for: it hangs, or was cut off."""

_KUBELET_PRECISION = timedelta(seconds=1)  # container times have whole seconds, rounded down


@dataclass(frozen=True, slots=True)
class PodVerdict:
    """``departing``: it still lives, but not for long. Otherwise it is lost."""

    reason: str
    message: str
    departing: bool


def ending_groups(surroundings: Surroundings) -> Mapping[OwnerRef, str]:
    """PodGroups that go as a whole, and of which one pod has been told so, with what it was told.

    Pods that have ended do not count: they stay, and who comes after them may name the same group.
    """
    together = {ref for ref, group in surroundings.groups.items() if group is not None and group.together}
    pods = surroundings.pods.values() if together else ()
    return {
        pod.group: f"{pod.name}: {pod.disruption}"
        for pod in pods
        if pod.group in together and pod.disruption and pod.phase not in ENDED and not pod.grace_over
    }


def judge_pod(
    member: Member, surroundings: Surroundings, ending: Mapping[OwnerRef, str] = NO_GROUPS
) -> PodVerdict | None:
    """What pod and node say about a member; None: nothing against it.

    Args:
        member: who is judged.
        surroundings: pods and nodes, as far as they are known.
        ending: of `ending_groups`.
    """
    name = member.name
    if member.pod_uid in surroundings.gone_pods:
        return PodVerdict(POD_DELETED, f"{name}: its pod {member.pod_name} was deleted", departing=False)
    pod = surroundings.pods.get(member.pod_uid) if member.pod_uid else None
    if pod is not None and pod.grace_over:
        return PodVerdict(POD_DELETED, f"{name}: its pod {pod.name} was deleted", departing=False)
    if pod is not None:
        verdict = _judge_labelled(member, pod)
        if verdict is not None:
            return verdict
        if pod.group is not None and pod.group in ending:
            text = f"{name}: its pod {pod.name} has to go with its PodGroup {pod.group.name} ({ending[pod.group]})"
            return PodVerdict(POD_EVICTED, text, departing=True)
    request = surroundings.request_to_evict(member.pod_uid)
    if request is not None:
        by = f" ({request.requesters})" if request.requesters else ""
        text = f"{name}: somebody asks for the eviction of its pod {member.pod_name}{by}"
        return PodVerdict(EVICTION_REQUESTED, text, departing=True)
    return _judge_node(member, pod.node_name if pod is not None else member.node_name, surroundings)


def _judge_labelled(member: Member, pod: ObservedPod) -> PodVerdict | None:
    name, container = member.name, pod.container
    if pod.phase in ENDED:
        ending = f" ({container.ending})" if container.ending else ""
        return PodVerdict(POD_FINISHED, f"{name}: its pod {pod.name} has {pod.phase.lower()}{ending}", departing=False)
    if _ended_under(member, container):
        text = f"{name}: its container in pod {pod.name} ended ({container.ending})"
        return PodVerdict(CONTAINER_ENDED, text, departing=False)
    if _restarted_under(member, container):
        text = f"{name}: its container in pod {pod.name} was restarted"
        return PodVerdict(CONTAINER_RESTARTED, text, departing=False)
    if _restarting_under(member, pod):
        text = f"{name}: all containers of its pod {pod.name} are being restarted"
        return PodVerdict(CONTAINERS_RESTARTING, text, departing=False)
    if pod.disruption:
        return PodVerdict(POD_EVICTED, f"{name}: its pod {pod.name} has to go ({pod.disruption})", departing=True)
    if pod.deleting:
        return PodVerdict(POD_TERMINATING, f"{name}: its pod {pod.name} is being deleted", departing=True)
    return None


def _judge_node(member: Member, node_name: str, surroundings: Surroundings) -> PodVerdict | None:
    if surroundings.nodes is None or not node_name or not member.pod_uid:
        return None
    node = surroundings.nodes.get(node_name)
    if node is None:
        return None  # not seen yet: a node is gone only if its end was seen
    if node.gone and int(member.resource_version) < node.version:
        return PodVerdict(NODE_GONE, f"{member.name}: its node {node_name} is gone", departing=False)
    if node.draining and not node.gone:
        text = f"{member.name}: its node {node_name} is being drained ({node.draining})"
        return PodVerdict(NODE_DRAINING, text, departing=True)
    return None


def unhealthy_devices_of(member: Member, surroundings: Surroundings) -> str:
    """The unhealthy devices of a member's pod, for people; "" if none is known to be."""
    pod = surroundings.pods.get(member.pod_uid) if member.pod_uid else None
    return pod.unhealthy_devices if pod is not None else ""


def _ended_under(member: Member, container: ObservedContainer) -> bool:
    """Whether no instance runs and the newest ended after the member's last heartbeat."""
    return container.terminated_at is not None and _was_silent_by(member, container.terminated_at + _KUBELET_PRECISION)


def _restarted_under(member: Member, container: ObservedContainer) -> bool:
    """Whether the running instance started after the member's last heartbeat: then another process sent that.

    A member that is older than the first instance lives in a sidecar, which starts before the container.
    """
    if container.first or container.running_since is None:
        return False
    return _was_silent_by(member, container.running_since)


def _restarting_under(member: Member, pod: ObservedPod) -> bool:
    """Whether the member sent its last heartbeat before all containers began to be started anew.

    The pod keeps its UID and address; a member that was heard later is that of the new containers.
    """
    since = pod.restarting_since
    return since is not None and _was_silent_by(member, since + _KUBELET_PRECISION)


def _was_silent_by(member: Member, moment: datetime) -> bool:
    """Whether the member's last heartbeat is from before; False if nobody can tell."""
    renewed = _renewed(member)
    return renewed is not None and renewed < moment


def _renewed(member: Member) -> datetime | None:
    try:
        return parse_time(member.renew_time)
    except ValueError:
        return None


def on_their_way(surroundings: Surroundings, members: Iterable[Member], now: datetime) -> tuple[ObservedPod, ...]:
    """Labelled pods that may still join: neither ending nor a member's, by name."""
    joined = {member.pod_uid for member in members}
    return tuple(
        sorted(
            (
                pod
                for pod in surroundings.pods.values()
                if pod.uid not in joined and surroundings.request_to_evict(pod.uid) is None and _may_come(pod, now)
            ),
            key=lambda pod: pod.name,
        )
    )


def _may_come(pod: ObservedPod, now: datetime) -> bool:
    if pod.phase in ENDED or pod.deleting or pod.disruption:
        return False
    since = pod.container.running_since
    return since is None or (now - since).total_seconds() < JOINS_WITHIN_SECONDS


def holdup_of(pod: ObservedPod) -> str:
    """A pod that is on its way and what holds it, for `waitingFor`."""
    return f"{pod.name} ({pod.holdup or 'starting'})"[:253]
