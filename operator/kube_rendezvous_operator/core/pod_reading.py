"""Reads what the core wants to know from Pods and Nodes as the API server shows them."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_operator.core.surroundings import ObservedContainer, ObservedNode, ObservedPod

NAME_LABEL = "rendezvous.dev/name"
"""Label of pods that take part in the Rendezvous of this name, in their own namespace."""

_LONGEST_TEXT = 512
"""Of what a pod says of itself: enough to see what to do."""

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

_DRAINING_TAINTS = frozenset(
    {
        "node.kubernetes.io/out-of-service",
        "node.cloudprovider.kubernetes.io/shutdown",
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "cloud.google.com/impending-node-termination",
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/rebalance-recommendation",
        "aws-node-termination-handler/asg-lifecycle-termination",
    }
)
"""What autoscalers and clouds put on a node whose pods must go. (`kubectl drain` evicts; that shows on the pods. A mere
candidate for removal, as the cluster autoscaler marks an idle node for ten minutes, need not go.)"""


def read_pod(obj: Mapping[str, Any]) -> ObservedPod:
    """Read a Pod."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    disruption = conditions.get("DisruptionTarget") or {}
    container = main_container(meta, spec, status)
    return ObservedPod(
        name=meta["name"],
        uid=meta["uid"],
        phase=status.get("phase", "Pending"),
        node_name=spec.get("nodeName", ""),
        deleting="deletionTimestamp" in meta,
        grace_over="deletionTimestamp" in meta and meta.get("deletionGracePeriodSeconds") == 0,
        disruption=said(disruption) if disruption.get("status") == "True" else "",
        holdup=_holdup(status, conditions, container),
        container=_read_container(container),
        service_account=str(spec.get("serviceAccountName") or ""),
        addresses=_addresses(status),
    )


def _addresses(status: Mapping[str, Any]) -> tuple[str, ...]:
    """The pod's own first."""
    pod = [entry.get("ip", "") for entry in status.get("podIPs") or ()] or [status.get("podIP", "")]
    node = [entry.get("ip", "") for entry in status.get("hostIPs") or ()] or [status.get("hostIP", "")]
    return tuple(dict.fromkeys(str(address) for address in (*pod, *node) if address))


def read_node(obj: Mapping[str, Any], *, gone: bool = False) -> ObservedNode:
    """Read a Node."""
    meta = obj["metadata"]
    taints = ((obj.get("spec") or {}).get("taints")) or ()
    return ObservedNode(
        name=meta["name"],
        labels=dict(meta.get("labels") or {}),
        draining=next((taint["key"] for taint in taints if taint.get("key") in _DRAINING_TAINTS), ""),
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
        ending=f"exit code {ended.get('exitCode')}" + (f", {why}" if why else ""),
    )


def _holdup(status: Mapping[str, Any], conditions: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        text = scheduled.get("message") or scheduled.get("reason") or "not scheduled"
        return one_line(f"Pending: {text}")[:_LONGEST_TEXT]
    if waiting.get("reason"):
        return said(waiting)
    if status.get("phase") != "Running":
        return str(status.get("phase", "Pending"))
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
