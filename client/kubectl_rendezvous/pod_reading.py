"""Reads what the answers need from Pods and Nodes as the API server shows them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kube_rendezvous_core import ObservedNode, ObservedPod
from kube_rendezvous_core.observed.device_reading import unhealthy_devices
from kube_rendezvous_core.observed.hindrance import Hindrance
from kube_rendezvous_core.observed.pod_reading import (
    NAME_LABEL,
    main_container,
    owner_of,
    read_hindrance,
    restart_in_place,
    said,
)
from kube_rendezvous_core.observed.pod_reading import read_node as read_node_as_operator
from kube_rendezvous_core.observed.pod_reading import read_pod as read_pod_as_operator
from kubectl_rendezvous.observation import Hold, SeenPod

CORDONED = "cordoned"
"""What `ObservedNode.draining` says here of a node that takes no more pods; that alone makes nobody leave."""

_RUN_ID = re.compile(r"--rdzv[-_]id[= \x00]+[\"']?([^\s\"'\x00;]+)")
_CONF = re.compile(r"--rdzv[-_]conf[= \x00]+[\"']?([^\s\"'\x00;]+)")
_CONF_NAME = re.compile(r"(?:^|,)name=([^,]+)")
_RUN_ID_VARIABLE, _CONF_VARIABLE = "PET_RDZV_ID", "PET_RDZV_CONF"
_HOLDS = {
    Hindrance.GATED: Hold.GATED,
    Hindrance.UNSCHEDULABLE: Hold.UNSCHEDULED,
    Hindrance.IMAGE: Hold.IMAGE,
    Hindrance.CRASHING: Hold.CRASHING,
    Hindrance.MISCONFIGURED: Hold.MISCONFIGURED,
    Hindrance.ENDED: Hold.WITHOUT_PROCESS,
}


def read_pod(obj: Mapping[str, Any]) -> SeenPod:
    """Read a Pod."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    main = main_container(meta, spec, status)
    observed = read_pod_as_operator(obj)
    hold, why = _hold(spec, status, conditions, main, observed)
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
        unhealthy_devices=unhealthy_devices(status),
        owner=owner_of(meta),
        observed=observed,
    )


def read_node(obj: Mapping[str, Any]) -> ObservedNode:
    """Read a Node as the operator does; beyond that, say of one that takes no more pods that it is cordoned."""
    node = read_node_as_operator(obj)
    cordoned = bool((obj.get("spec") or {}).get("unschedulable"))
    return replace(node, draining=CORDONED) if cordoned and not node.draining else node


def _run_ids(spec: Mapping[str, Any]) -> Iterable[str]:
    for container in spec.get("containers") or ():
        words = "\x00".join(map(str, (*(container.get("command") or ()), *(container.get("args") or ()))))
        variables = {v.get("name"): str(v.get("value", "")) for v in container.get("env") or ()}
        confs = _CONF.findall(words) or [variables.get(_CONF_VARIABLE, "")]
        # As the client reads them: a name in the configuration wins.
        found = [name for conf in confs for name in _CONF_NAME.findall(conf)]
        found = found or [*_RUN_ID.findall(words), variables.get(_RUN_ID_VARIABLE, "")]
        yield from (value for value in found if value and "$" not in value)


def _leaving(meta: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    disruption = conditions.get("DisruptionTarget") or {}
    if disruption.get("status") == "True":
        return said(disruption)
    return "it is being deleted" if "deletionTimestamp" in meta else ""


def _hold(
    spec: Mapping[str, Any],
    status: Mapping[str, Any],
    conditions: Mapping[str, Any],
    main: Mapping[str, Any],
    observed: ObservedPod,
) -> tuple[Hold, str]:
    phase = str(status.get("phase", "Pending"))
    if phase in ("Succeeded", "Failed"):
        return Hold.ENDED, said(status) or phase
    hindrance, why = read_hindrance(spec, status, conditions, main)
    if hindrance is not None:
        return _HOLDS[hindrance], why.removeprefix("Pending: ")
    if restarting := restart_in_place(conditions):
        return Hold.WITHOUT_PROCESS, f"all its containers are being restarted in place ({said(restarting)})"
    if observed.container.ending:
        return Hold.WITHOUT_PROCESS, f"its container ended ({observed.container.ending})"
    if phase == "Running":
        return Hold.RUNNING, "running"
    scheduled = (conditions.get("PodScheduled") or {}).get("status") == "True"
    return Hold.STARTING, "starting" if scheduled else "not scheduled yet"
