"""A namespace that judges pods as OpenShift's SecurityContextConstraints `restricted-v2` do, by an admission policy.

The constraints also choose the user and the group that a pod leaves open; a policy cannot, and what is judged here
needs no choice: that nothing is asked for which would be refused.
"""

import json
import time
from typing import Any

from integration.conftest import Kubectl

NAME = "openshift-restricted-v2"
LABEL = "tests.rendezvous.dev/openshift"
UID_RANGE = "openshift.io/sa.scc.uid-range"
AT_WORK_SECONDS = 30.0

# CEL over `object`; `containers`, `first` and `count` are variables of the policy.
_IN_RANGE = "optMap(id, id >= variables.first && id < variables.first + variables.count).orValue(true)"
_POD = "object.spec.?securityContext"
_RULES = {
    "the pod's runAsUser must be in the namespace's range": f"{_POD}.?runAsUser.{_IN_RANGE}",
    "fsGroup must be in the namespace's range": f"{_POD}.?fsGroup.{_IN_RANGE}",
    "a container's runAsUser must be in the namespace's range": (
        f"variables.containers.all(one, one.?securityContext.?runAsUser.{_IN_RANGE})"
    ),
    "no privileges may be gained": (
        "variables.containers.all(one, !one.?securityContext.?allowPrivilegeEscalation.orValue(false)"
        " && !one.?securityContext.?privileged.orValue(false))"
    ),
    "capabilities may not be added": (
        "variables.containers.all(one, one.?securityContext.?capabilities.?add.orValue([])"
        ".all(name, name == 'NET_BIND_SERVICE'))"
    ),
    "the seccomp profile must be RuntimeDefault": (
        f"{_POD}.?seccompProfile.optMap(profile, profile.type == 'RuntimeDefault').orValue(true)"
    ),
    "volumes of the host are not allowed": "object.spec.?volumes.orValue([]).all(one, !has(one.hostPath))",
    "the host's network, processes and ports are not allowed": (
        "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false)"
        " && !object.spec.?hostIPC.orValue(false)"
        " && variables.containers.all(one, one.?ports.orValue([]).all(port, !has(port.hostPort)))"
    ),
}
_VARIABLES = {
    "first": f"int(namespaceObject.metadata.annotations['{UID_RANGE}'].split('/')[0])",
    "count": f"int(namespaceObject.metadata.annotations['{UID_RANGE}'].split('/')[1])",
    "containers": "object.spec.containers + object.spec.?initContainers.orValue([])",
}


def become_openshift(kubectl: Kubectl, namespace: str) -> None:
    """Let this namespace take only what `restricted-v2` takes; returns when the policy is at work."""
    for command in (
        ("annotate", "namespace", namespace, f"{UID_RANGE}=1000680000/10000"),
        ("label", "namespace", namespace, f"{LABEL}=true", "pod-security.kubernetes.io/enforce=restricted"),
    ):
        done = kubectl(*command)
        assert done.returncode == 0, done.stderr
    applied = kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": _policy()}))
    assert applied.returncode == 0, applied.stderr
    deadline = time.monotonic() + AT_WORK_SECONDS
    while "must be in the namespace's range" not in try_pod(kubectl, namespace, _pod(runAsUser=65532)):
        assert time.monotonic() < deadline, f"the policy is not at work after {AT_WORK_SECONDS:.0f} s"
        time.sleep(0.1)


def give_compute_quota(kubectl: Kubectl, namespace: str) -> None:
    """A ResourceQuota of requests and limits: a pod that lacks one of them is refused.

    What its controller writes into the status, and nobody does here, is written too: the API server judges by that.
    """
    hard = {"requests.cpu": "8", "requests.memory": "8Gi", "limits.cpu": "16", "limits.memory": "16Gi"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"}, "spec": {"hard": hard}}
    made = kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(quota))
    assert made.returncode == 0, made.stderr
    status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    patch = ("--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")
    written = kubectl("-n", namespace, "patch", "resourcequota", "compute", *patch)
    assert written.returncode == 0, written.stderr
    deadline = time.monotonic() + AT_WORK_SECONDS
    while "must specify" not in try_pod(kubectl, namespace, _pod()):
        assert time.monotonic() < deadline, f"the quota is not at work after {AT_WORK_SECONDS:.0f} s"
        time.sleep(0.1)


def try_pod(kubectl: Kubectl, namespace: str, spec: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
    """What the API server has against such a pod, warnings included; "": nothing. It is not stored."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**(metadata or {}), "name": "pod"}, "spec": spec}
    pod["metadata"].pop("namespace", None)
    tried = kubectl(
        "-n", namespace, "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod)
    )
    assert tried.stderr or tried.returncode == 0
    return tried.stderr


def _pod(**security: Any) -> dict[str, Any]:
    """A pod to which nobody objects, unless for what is added to its security context, or for its resources: none."""
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **security},
        "containers": [{"name": "one", "image": "one", "securityContext": own}],
    }


def _policy() -> list[dict[str, Any]]:
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": NAME}}
    match = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [match]},
        "variables": [{"name": name, "expression": text} for name, text in _VARIABLES.items()],
        "validations": [{"message": message, "expression": rule} for message, rule in _RULES.items()],
    }
    binding = {
        "policyName": NAME,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {LABEL: "true"}}},
    }
    return [
        {**api, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**api, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]
