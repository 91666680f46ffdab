"""Manifests of the two pods that try the training image and the network, and what their statuses say."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from kube_rendezvous.resources.timestamps import parse_time
from kubectl_rendezvous.doctor.surroundings import ProbedPod
from kubectl_rendezvous.observation import Hold
from kubectl_rendezvous.pod_reading import read_pod

RUN_LABEL = "rendezvous.dev/doctor"
_NOBODY = {"runAsUser": 65532, "runAsGroup": 65532}
_RANGE = "openshift.io/sa.scc.uid-range"
_LONGEST_SECONDS = 600


def pod_manifest(
    name: str,
    run: str,
    image: str,
    account: str,
    pull_secrets: Sequence[str],
    arguments: Sequence[str],
    *,
    numbered: bool = True,
) -> dict[str, Any]:
    """A pod under Pod Security `restricted`, on another node than the other one where that can be.

    Args:
        numbered: whether to name a user by number: an image's own may be root. OpenShift picks one by itself.
    """
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {RUN_LABEL: run}}}
    script = files(__package__).joinpath("in_the_pod.py").read_text()
    container = {
        "name": "doctor",
        "image": image,
        "command": ["python3", "-c", script, *arguments],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {RUN_LABEL: run}},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LONGEST_SECONDS,
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "imagePullSecrets": [{"name": secret} for secret in pull_secrets],
            "securityContext": {
                "runAsNonRoot": True,
                **(_NOBODY if numbered else {}),
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "affinity": {
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
                }
            },
            "containers": [container],
        },
    }


def picks_users(namespace: Mapping[str, Any]) -> bool:
    """Whether the cluster gives the pods of a namespace their user."""
    return _RANGE in (namespace["metadata"].get("annotations") or {})


def has_ended(obj: Mapping[str, Any]) -> bool:
    """Whether its process is over."""
    return (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def cannot_start(obj: Mapping[str, Any]) -> bool:
    """Whether nothing but a change would let it run."""
    return read_pod(obj).hold is Hold.MISCONFIGURED


def address_of(obj: Mapping[str, Any]) -> str:
    """Where it is reached; "" while its process does not run."""
    status = obj.get("status") or {}
    return str(status.get("podIP") or "") if status.get("phase") == "Running" else ""


def read_probe(name: str, obj: Mapping[str, Any] | None, server_now: float | None) -> ProbedPod:
    """What a pod says.

    Args:
        obj: as it is now; None: it was never made or is gone.
        server_now: the API server's clock.
    """
    if obj is None:
        return ProbedPod(name, {}, hold="it is gone")
    report = _report(obj)
    hold = "" if report else read_pod(obj).why
    node = str((obj.get("spec") or {}).get("nodeName") or "")
    return ProbedPod(name, report, node, hold, _ahead(obj, report, server_now))


def _report(obj: Mapping[str, Any]) -> Mapping[str, object]:
    for status in (obj.get("status") or {}).get("containerStatuses") or ():
        message = ((status.get("state") or {}).get("terminated") or {}).get("message") or ""
        try:
            report = json.loads(message)
        except ValueError:
            continue
        if isinstance(report, dict):
            return report
    return {}


def _ahead(obj: Mapping[str, Any], report: Mapping[str, object], server_now: float | None) -> float | None:
    """Its process ran after the pod was made and before we see it: outside of that its clock is wrong."""
    told = report.get("time")
    if not isinstance(told, (int, float)) or server_now is None:
        return None
    made = parse_time(obj["metadata"]["creationTimestamp"]).timestamp()
    return min(0.0, told - made) + max(0.0, told - server_now)
