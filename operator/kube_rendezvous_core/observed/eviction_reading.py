"""Reads who asks for the eviction of which pod (lifecycle.k8s.io/v1alpha1, Kubernetes 1.37 with the gate
EvictionRequestAPI).

An EvictionRequest is a wish; Kubernetes' controller, or another one, makes an Eviction of all wishes for one pod, and
lets the responders that the pod names in its `evictionResponders` act in turn, before the pod is evicted.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core.observed.surroundings import ObservedEviction

RESPONDER = "rendezvous.dev/operator"
"""What a pod writes in its `evictionResponders` to be evicted only when its place has been handed over."""

API = "/apis/lifecycle.k8s.io/v1alpha1"
EVICTIONS = "evictions"
EVICTION_REQUESTS = "evictionrequests"

_FINAL = ("Failed", "TargetEvicted")
_BEGUN = ("Active", "Completed", "Interrupted")
_MOST_NAMES = 5
_LONGEST_NAME = 317  # a domain, a slash and a name


def read_eviction(obj: Mapping[str, Any]) -> ObservedEviction:
    """Read an Eviction.

    It asks the pod to go when it is our turn, and when it was; of a pod that does not name us, as soon as anybody's
    turn has come.
    """
    status = obj.get("status") or {}
    turns = {str(one["name"]): str(one.get("state")) for one in status.get("targetResponders") or ()}
    ours: Mapping[str, Any] = next((one for one in status.get("responders") or () if one["name"] == RESPONDER), {})
    counted = (turns[RESPONDER],) if RESPONDER in turns else tuple(turns.values())
    over = any(one["type"] in _FINAL and one.get("status") == "True" for one in status.get("conditions") or ())
    requesters = (one["name"] for one in status.get("requesters") or () if one.get("intent") == "Eviction")
    return ObservedEviction(
        *_identity(obj),
        asks=not over and any(turn in _BEGUN for turn in counted),
        requesters=_names(requesters),
        began=_time(ours.get("startTime")) if turns.get(RESPONDER) == "Active" and not over else None,
        heard="heartbeatTime" in ours,
        answered="completionTime" in ours,
    )


def read_eviction_request(obj: Mapping[str, Any]) -> ObservedEviction:
    """Read an EvictionRequest."""
    spec = obj["spec"]
    return ObservedEviction(
        *_identity(obj), asks=spec.get("intent") == "Eviction", requesters=_names([spec.get("requester") or ""])
    )


def deciding(
    evictions: Iterable[ObservedEviction], requests: Iterable[ObservedEviction]
) -> Mapping[str, ObservedEviction]:
    """What decides whether a pod is to go, by its UID: its Eviction; a request only where nobody has made one of it."""
    decides: dict[str, ObservedEviction] = {}
    for one in (*sorted(requests, key=_weight), *sorted(evictions, key=_weight)):
        if one.pod_uid:
            decides[one.pod_uid] = one
    return decides


def _weight(one: ObservedEviction) -> tuple[bool, bool, str]:
    return one.asks, one.began is not None and not one.answered, one.name


def _identity(obj: Mapping[str, Any]) -> tuple[str, str, str]:
    meta, pod = obj["metadata"], (obj["spec"].get("target") or {}).get("pod") or {}
    return meta["name"], meta["resourceVersion"], str(pod.get("uid") or "")


def _names(names: Iterable[str]) -> str:
    return ", ".join(one_line(str(name))[:_LONGEST_NAME] for name in list(names)[:_MOST_NAMES])


def _time(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
