"""Reads what the answers need from Pods and Nodes as the API server shows them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kube_rendezvous_operator.core import ObservedNode
from kubectl_rendezvous.observation import Hold, SeenPod

NAME_LABEL = "rendezvous.dev/name"
"""Label of pods that take part in the Rendezvous of this name, in their own namespace."""

CORDONED = "cordoned"
"""What `ObservedNode.draining` says here of a node that takes no more pods; that alone makes nobody leave."""

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_RUN_ID = re.compile(r"--rdzv[-_]id[= \x00]+[\"']?([^\s\"'\x00;]+)")
_RUN_ID_VARIABLE = "PET_RDZV_ID"
_IMAGE = ("ImagePull", "ErrImage", "InvalidImage", "ImageInspect", "RegistryUnavailable", "SignatureValidation")
_LEAVING_NODE = re.compile(
    r"out-of-service|cloudprovider\.kubernetes\.io/shutdown|ToBeDeleted|DeletionCandidate|karpenter\.sh/disrupt"
    r"|impending-node-termination|aws-node-termination-handler/"
)


def read_pod(obj: Mapping[str, Any]) -> SeenPod:
    """Read a Pod."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    main = _main_container(meta, spec, status)
    hold, why = _hold(status, conditions, main)
    return SeenPod(
        name=meta["name"],
        uid=meta["uid"],
        label=(meta.get("labels") or {}).get(NAME_LABEL, ""),
        run_ids=tuple(dict.fromkeys(_run_ids(spec))),
        node_name=spec.get("nodeName", ""),
        leaving=_leaving(meta, conditions),
        hold=hold,
        why=why,
        restarts=int(main.get("restartCount", 0)),
    )


def read_node(obj: Mapping[str, Any]) -> ObservedNode:
    """Read a Node."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    taints = [str(taint.get("key", "")) for taint in spec.get("taints") or ()]
    leaving = next((key for key in taints if _LEAVING_NODE.search(key)), "")
    if not leaving and spec.get("unschedulable"):
        leaving = CORDONED
    return ObservedNode(name=meta["name"], labels=dict(meta.get("labels") or {}), draining=leaving)


def _run_ids(spec: Mapping[str, Any]) -> Iterable[str]:
    for container in spec.get("containers") or ():
        words = "\x00".join(map(str, (*(container.get("command") or ()), *(container.get("args") or ()))))
        found = [*_RUN_ID.findall(words)]
        found += [str(v.get("value", "")) for v in container.get("env") or () if v.get("name") == _RUN_ID_VARIABLE]
        yield from (value for value in found if value and "$" not in value)


def _main_container(meta: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Status of the container in which the member runs: the default one of kubectl, else the first."""
    names = [c["name"] for c in spec.get("containers") or ()]
    wanted = (meta.get("annotations") or {}).get(_DEFAULT_CONTAINER) or (names[0] if names else "")
    statuses = status.get("containerStatuses") or ()
    return next((c for c in statuses if c.get("name") == wanted), {})


def _leaving(meta: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    disruption = conditions.get("DisruptionTarget") or {}
    if disruption.get("status") == "True":
        return _said(disruption)
    return "it is being deleted" if "deletionTimestamp" in meta else ""


def _hold(status: Mapping[str, Any], conditions: Mapping[str, Any], main: Mapping[str, Any]) -> tuple[Hold, str]:
    phase = str(status.get("phase", "Pending"))
    if phase in ("Succeeded", "Failed"):
        return Hold.ENDED, _said(status) or phase
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return Hold.UNSCHEDULED, str(scheduled.get("message") or scheduled.get("reason") or "not scheduled yet")
    for container in (*(status.get("initContainerStatuses") or ()), main):
        waiting = (container.get("state") or {}).get("waiting") or {}
        hold = _hold_of_waiting(str(waiting.get("reason", "")))
        if hold is not None:
            return hold, _said(waiting)
    if phase == "Running":
        return Hold.RUNNING, "running"
    return Hold.STARTING, "starting" if scheduled.get("status") == "True" else "not scheduled yet"


def _hold_of_waiting(reason: str) -> Hold | None:
    if reason.startswith(_IMAGE):
        return Hold.IMAGE
    if reason == "CrashLoopBackOff":
        return Hold.CRASHING
    if reason.endswith("Error"):  # CreateContainerConfigError, RunContainerError, …
        return Hold.MISCONFIGURED
    return None


def _said(part: Mapping[str, Any]) -> str:
    reason, message = str(part.get("reason") or ""), str(part.get("message") or "")
    return f"{reason}: {message}" if reason and message else reason or message
