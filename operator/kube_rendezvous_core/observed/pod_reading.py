"""Reads what the core wants to know from Pods and Nodes as the API server shows them."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.names import NAME_LABEL as NAME_LABEL
from kube_rendezvous.resources.names import is_object_name
from kube_rendezvous.resources.slots import guessed_slot, slot_in_group
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core.observed.device_reading import unhealthy_devices
from kube_rendezvous_core.observed.hindrance import Hindrance, hindrance_of_waiting
from kube_rendezvous_core.observed.node_notices import notice_of_maintenance, notice_to_leave
from kube_rendezvous_core.observed.owner_reading import COLLECTIONS
from kube_rendezvous_core.observed.pod_group_reading import group_of
from kube_rendezvous_core.observed.surroundings import (
    NOWHERE,
    ObservedContainer,
    ObservedNode,
    ObservedPod,
    OwnedPlace,
    OwnerRef,
)

_LEADER_WORKER_SET = "leaderworkerset.sigs.k8s.io"
_RESTARTING = "AllContainersRestarting"
"""Condition of a pod all of whose containers a restart rule starts anew (Kubernetes 1.36 and newer)."""

_JOB_SET_NAME = "jobset.sigs.k8s.io/jobset-name"

_BACK_OFF_ENDS_AFTER = timedelta(minutes=10)
"""Of a container that ran for so long the kubelet has forgotten that it failed before (twice its longest back-off)."""

_LONGEST_INDEX = 10  # digits of the completions of a Job
_LONGEST_TEXT = 512
"""Of what a pod says of itself: enough to see what to do."""

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def read_pod(obj: Mapping[str, Any]) -> ObservedPod:
    """Read a Pod."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    disruption = conditions.get("DisruptionTarget") or {}
    container = main_container(meta, spec, status)
    hindrance, holdup = read_hindrance(spec, status, conditions, container)
    owner = owner_of(meta)
    return ObservedPod(
        name=meta["name"],
        uid=meta["uid"],
        phase=status.get("phase", "Pending"),
        node_name=spec.get("nodeName", ""),
        deleting="deletionTimestamp" in meta,
        grace_over="deletionTimestamp" in meta and meta.get("deletionGracePeriodSeconds") == 0,
        disruption=said(disruption) if disruption.get("status") == "True" else "",
        holdup=holdup or _holdup(status, conditions, container),
        hindrance=hindrance,
        place=_place(meta),
        completion_index=_completion_index(meta),
        owner=owner,
        container=_read_container(container),
        restarting_since=_time(restart_in_place(conditions).get("lastTransitionTime")),
        group=group_of(spec),
        unhealthy_devices=unhealthy_devices(status),
        service_account=str(spec.get("serviceAccountName") or ""),
        addresses=_addresses(status),
        created=_time(meta.get("creationTimestamp")) if owner and owner.kind == "LeaderWorkerSet" else None,
    )


def restart_in_place(conditions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The condition that all containers of a pod are being started anew; {} if they are not.

    Args:
        conditions: of the status, by type.
    """
    condition = conditions.get(_RESTARTING) or {}
    return condition if condition.get("status") == "True" else {}


def _place(meta: Mapping[str, Any]) -> OwnedPlace:
    labels: Mapping[str, str] = meta.get("labels") or {}
    name, group = labels.get(f"{_LEADER_WORKER_SET}/name"), labels.get(f"{_LEADER_WORKER_SET}/group-index")
    if name and group is not None:
        return OwnedPlace(name, slot_in_group(group, labels.get(f"{_LEADER_WORKER_SET}/worker-index", "0")))
    completion, job = _completion_index(meta), labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
    if completion and job:
        return OwnedPlace(job, completion)
    owner = controller_of(meta)
    ordinal = labels.get("apps.kubernetes.io/pod-index") or guessed_slot(meta["name"])
    if owner.get("kind") == "StatefulSet" and ordinal:
        return OwnedPlace(owner["name"], ordinal)
    return NOWHERE


def owner_of(meta: Mapping[str, Any]) -> OwnerRef | None:
    """The outermost object that is known to make such pods."""
    labels: Mapping[str, str] = meta.get("labels") or {}
    for kind, label in (("JobSet", _JOB_SET_NAME), ("LeaderWorkerSet", f"{_LEADER_WORKER_SET}/name")):
        if labels.get(label):
            return _reference(kind, labels[label])
    owner = controller_of(meta)
    return _reference(owner["kind"], owner["name"]) if owner.get("kind") in COLLECTIONS else None


def _reference(kind: str, name: str) -> OwnerRef | None:
    """Whoever makes a pod names its owner as it likes; None where there can be no object of that name."""
    return OwnerRef(kind, name) if is_object_name(name) else None


def _completion_index(meta: Mapping[str, Any]) -> str:
    key = "batch.kubernetes.io/job-completion-index"
    index = str((meta.get("labels") or {}).get(key) or (meta.get("annotations") or {}).get(key) or "")
    return index if index.isdecimal() and len(index) <= _LONGEST_INDEX else ""


def controller_of(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reference to the object that made this one and replaces it; {} if there is none."""
    return next((owner for owner in meta.get("ownerReferences") or () if owner.get("controller")), {})


def _addresses(status: Mapping[str, Any]) -> tuple[str, ...]:
    """The pod's own first."""
    pod = [entry.get("ip", "") for entry in status.get("podIPs") or ()] or [status.get("podIP", "")]
    node = [entry.get("ip", "") for entry in status.get("hostIPs") or ()] or [status.get("hostIP", "")]
    return tuple(dict.fromkeys(str(address) for address in (*pod, *node) if address))


def read_node(obj: Mapping[str, Any], *, gone: bool = False) -> ObservedNode:
    """Read a Node."""
    meta = obj["metadata"]
    return ObservedNode(
        name=meta["name"],
        labels=dict(meta.get("labels") or {}),
        draining=notice_to_leave(obj),
        maintenance=notice_of_maintenance(obj),
        gone=gone,
        version=int(meta.get("resourceVersion") or sys.maxsize),
    )


def main_container(meta: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Status of the container in which the member runs: the default one of kubectl, else the first."""
    names = [c["name"] for c in spec.get("containers") or ()]
    wanted = (meta.get("annotations") or {}).get(_DEFAULT_CONTAINER) or (names[0] if names else "")
    statuses = status.get("containerStatuses") or ()
    return next((c for c in statuses if c.get("name") == wanted), {})


def _read_container(container: Mapping[str, Any]) -> ObservedContainer:
    state = container.get("state") or {}
    if "running" in state:
        first = not container.get("restartCount")
        return ObservedContainer(running_since=_time(state["running"].get("startedAt")), first=first)
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    if not ended:
        return ObservedContainer()
    why = ended.get("reason") or (f"signal {ended['signal']}" if ended.get("signal") else "")
    return ObservedContainer(
        terminated_at=_time(ended.get("finishedAt")),
        ending=one_line(f"exit code {ended.get('exitCode')}" + (f", {why}" if why else ""))[:_LONGEST_TEXT],
    )


def read_hindrance(
    spec: Mapping[str, Any],
    status: Mapping[str, Any],
    conditions: Mapping[str, Mapping[str, Any]],
    container: Mapping[str, Any],
) -> tuple[Hindrance | None, str]:
    """What keeps a pod from running, and what the cluster says about it.

    Args:
        spec, status: of the Pod.
        conditions: those of the status, by type.
        container: status of the main container.
    """
    gates = ", ".join(gate["name"] for gate in spec.get("schedulingGates") or ())
    if gates:
        return Hindrance.GATED, one_line(f"SchedulingGated: {gates}")[:_LONGEST_TEXT]
    scheduled = conditions.get("PodScheduled") or {}
    # The condition of a gate outlives the gate, until the scheduler has a node.
    if scheduled.get("status") == "False" and scheduled.get("reason") != "SchedulingGated":
        said_of_it = scheduled.get("message") or scheduled.get("reason") or "not scheduled"
        return Hindrance.UNSCHEDULABLE, one_line(f"Pending: {said_of_it}")[:_LONGEST_TEXT]
    if "running" in (container.get("state") or {}):
        return None, ""
    for one in (*(status.get("initContainerStatuses") or ()), container):
        waiting = (one.get("state") or {}).get("waiting") or {}
        hindrance = hindrance_of_waiting(str(waiting.get("reason") or ""))
        if hindrance is not None:
            return hindrance, said(waiting)
        if _is_in_back_off(one):
            return Hindrance.CRASHING, f"CrashLoopBackOff: {_ending(one)}"
    if _ended_for_good(spec, status, container):
        ending = _read_container(container).ending
        text = f"its container ended for good ({ending}), and another one of the pod keeps it from ending"
        return Hindrance.ENDED, text
    return None, ""


def _is_in_back_off(container: Mapping[str, Any]) -> bool:
    """Whether it has failed again soon after a restart: it is started again after ten seconds at the earliest.

    For that time the kubelet shows the end, and says `CrashLoopBackOff` only when it has looked at the pod again.
    """
    ended = (container.get("state") or {}).get("terminated") or {}
    if not ended.get("exitCode") or not (container.get("lastState") or {}).get("terminated"):
        return False
    began, end = _time(ended.get("startedAt")), _time(ended.get("finishedAt"))
    return began is not None and end is not None and end - began < _BACK_OFF_ENDS_AFTER


def _ended_for_good(spec: Mapping[str, Any], status: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Whether it has failed in a pod that lives on, and no policy starts it again.

    The owner makes another pod only when this one has ended: when whatever runs beside the trainer, such as a proxy
    or what ships logs, ends as well. What has succeeded may have prepared the pod for another container.
    """
    ended = (container.get("state") or {}).get("terminated") or {}
    if not ended.get("exitCode") or status.get("phase") != "Running":
        return False
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    if any(one.get("restartPolicyRules") for one in containers):
        return False  # one of them may start it, or all, again
    own: Mapping[str, Any] = next((one for one in containers if one.get("name") == container.get("name")), {})
    return (own.get("restartPolicy") or spec.get("restartPolicy")) == "Never"


def _ending(container: Mapping[str, Any]) -> str:
    ended, times = container["state"]["terminated"], int(container.get("restartCount") or 0)
    why = f", {ended['reason']}" if ended.get("reason") else ""
    again = "1 time" if times == 1 else f"{times} times"
    return one_line(f"exit code {ended.get('exitCode')}{why}, started again {again}")[:_LONGEST_TEXT]


def _holdup(
    status: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]], container: Mapping[str, Any]
) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason"):
        return said(waiting)
    if status.get("phase") != "Running":
        return str(status.get("phase", "Pending"))
    if restart_in_place(conditions):
        return "all its containers are being restarted in place"
    if ending := _read_container(container).ending:
        return f"its container ended ({ending})"
    # A moment and not a length of time: the status must not change with every second that passes.
    since = ((container.get("state") or {}).get("running") or {}).get("startedAt")
    return f"running since {since}, not joined yet" if since else "running, not joined yet"


def said(part: Mapping[str, Any]) -> str:
    """Reason and message of a condition or a container state, in one line."""
    reason, message = str(part.get("reason") or ""), str(part.get("message") or "")
    return one_line(f"{reason}: {message}" if reason and message else reason or message)[:_LONGEST_TEXT]


def _time(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
