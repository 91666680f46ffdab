"""What a node says of its own end: taints of autoscalers and clouds, conditions of the node's lifecycle.

A node that must be left is handed over: its members depart, so that the next round is formed without them while they
can still save a checkpoint. (`kubectl drain` evicts; that shows on the pods. A mere candidate for removal, as the
cluster autoscaler marks an idle node for ten minutes, need not be left.)

A node whose maintenance is only planned stays where it is used; newcomers on it come after all others.
"""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous.printable_text import one_line

_LEAVING_TAINTS = frozenset(
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

_READINESS_TAINTS = "readiness.k8s.io/"
"""Of the Node Readiness Controller: something that the node needs (its network, its GPU driver) is not ready."""

_LEAVING_CONDITIONS = ("GracefulNodeShutdownInProgress", "DrainInProgress", "Drained", "MaintenanceInProgress")
"""KEP-5683, known to the API since Kubernetes 1.37; who sets them decides what they mean on this cluster."""

_PLANNED = "MaintenancePlanned"

_LONGEST_TEXT = 512


def notice_to_leave(node: Mapping[str, Any]) -> str:
    """The taint or the condition that says that the pods of a Node must go; "" if there is none."""
    for taint in (node.get("spec") or {}).get("taints") or ():
        key = taint.get("key") or ""
        if key in _LEAVING_TAINTS or (key.startswith(_READINESS_TAINTS) and taint.get("effect") != "PreferNoSchedule"):
            return str(key)
    conditions = _true_conditions(node)
    return next((_said(conditions[kind]) for kind in _LEAVING_CONDITIONS if kind in conditions), "")


def notice_of_maintenance(node: Mapping[str, Any]) -> str:
    """The condition that says that a Node will have to be left some day; "" if there is none."""
    planned = _true_conditions(node).get(_PLANNED)
    return _said(planned) if planned is not None else ""


def _true_conditions(node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return {c["type"]: c for c in conditions if c.get("status") == "True"}


def _said(condition: Mapping[str, Any]) -> str:
    why = str(condition.get("message") or condition.get("reason") or "")
    return one_line(f"{condition['type']}: {why}" if why else str(condition["type"]))[:_LONGEST_TEXT]
