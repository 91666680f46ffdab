"""Reads what a PodGroup (scheduling.k8s.io, Kubernetes 1.37) asks for its pods."""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.names import is_object_name
from kube_rendezvous_core.observed.surroundings import ObservedPodGroup, OwnerRef

_POD_GROUP = "PodGroup"

POD_GROUPS = {_POD_GROUP: ("/apis/scheduling.k8s.io/v1beta1", "podgroups")}
"""Where it can be read: the API, and its plural there."""

_SCHEDULED = "PodGroupInitiallyScheduled"
_DISRUPTED = "DisruptionTarget"
"""Of a group: all of it has to go, whatever its `disruptionMode` says."""

_MOST_KEYS = 8
_LONGEST_TEXT = 512
_LONGEST_KEY = 317  # of a label: a domain, a slash and a name


def read_pod_group(ref: OwnerRef, obj: Mapping[str, Any]) -> ObservedPodGroup:
    """Read a PodGroup.

    Args:
        ref: which it is.
        obj: as the API server shows it.
    """
    spec = obj["spec"]
    gang = (spec.get("schedulingPolicy") or {}).get("gang") or {}
    constraints = (spec.get("schedulingConstraints") or {}).get("topology") or ()
    keys = (one_line(str(constraint["key"]))[:_LONGEST_KEY] for constraint in constraints[:_MOST_KEYS])
    conditions = {one["type"]: one for one in (obj.get("status") or {}).get("conditions") or ()}
    scheduled, disrupted = conditions.get(_SCHEDULED) or {}, conditions.get(_DISRUPTED) or {}
    return ObservedPodGroup(
        ref,
        int(gang.get("minCount") or 0),
        tuple(keys),
        together="all" in (spec.get("disruptionMode") or {}) or disrupted.get("status") == "True",
        held_up=_said(scheduled) if scheduled.get("status") == "False" else "",
    )


def _said(condition: Mapping[str, Any]) -> str:
    parts = (str(condition.get(part) or "") for part in ("reason", "message"))
    return one_line(": ".join(part for part in parts if part))[:_LONGEST_TEXT]


def group_of(spec: Mapping[str, Any]) -> OwnerRef | None:
    """The PodGroup that a pod's spec names; None if it names none, or what can be no name."""
    name = str((spec.get("schedulingGroup") or {}).get("podGroupName") or "")
    return OwnerRef(_POD_GROUP, name) if is_object_name(name) else None
