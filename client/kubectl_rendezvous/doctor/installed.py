"""Reads definitions, the operator's Deployment and admission policies as the API server shows them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import GROUP
from kubectl_rendezvous.doctor.surroundings import Definition, Deployment, Guard

_LEASE, _SERVES = "--lease-name=", "--namespace="


def read_definition(obj: Mapping[str, Any], version: str) -> Definition:
    """Read a CustomResourceDefinition; its fields are those of one version's spec."""
    conditions = {c["type"]: c for c in (obj.get("status") or {}).get("conditions") or ()}
    trouble = [
        f"{c.get('reason', '')}: {c.get('message', '')}"
        for kind, bad in (("NamesAccepted", "False"), ("NonStructuralSchema", "True"), ("Terminating", "True"))
        if (c := conditions.get(kind, {})).get("status") == bad
    ]
    versions = obj["spec"]["versions"]
    ours: Mapping[str, Any] = next((v for v in versions if v["name"] == version), {})
    schema = (ours.get("schema") or {}).get("openAPIV3Schema") or {}
    spec = (schema.get("properties") or {}).get("spec") or {}
    return Definition(
        versions=tuple(v["name"] for v in versions if v.get("served")),
        established=conditions.get("Established", {}).get("status") == "True",
        trouble="; ".join(trouble),
        fields=frozenset(spec.get("properties") or ()),
    )


def read_deployment(obj: Mapping[str, Any]) -> Deployment | None:
    """Read the operator's Deployment; None for one of something else."""
    meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    pod = spec["template"]["spec"]
    arguments = [str(word) for c in pod["containers"] for word in (*(c.get("command") or ()), *(c.get("args") or ()))]
    if not any(word.startswith(_LEASE) or "kube_rendezvous_operator" in word for word in arguments):
        return None
    bad = [
        str(c.get("message") or c.get("reason"))
        for c in status.get("conditions") or ()
        if (c["type"], c["status"]) in (("Available", "False"), ("Progressing", "False"), ("ReplicaFailure", "True"))
    ]
    return Deployment(
        namespace=meta["namespace"],
        name=meta["name"],
        ready=int(status.get("readyReplicas") or 0),
        wanted=int(spec.get("replicas", 1)),
        version=(meta.get("labels") or {}).get("app.kubernetes.io/version", ""),
        account=str(pod.get("serviceAccountName") or "default"),
        lease=next((word.removeprefix(_LEASE) for word in arguments if word.startswith(_LEASE)), ""),
        serves=tuple(word.removeprefix(_SERVES) for word in arguments if word.startswith(_SERVES)),
        trouble=" ".join(bad),
    )


def read_guard(
    policies: Sequence[Mapping[str, Any]] | None, bindings: Sequence[Mapping[str, Any]] | None, dry_run: str | None
) -> Guard:
    """Which policies look at Members, and which of them are in force.

    Args:
        policies, bindings: None: we may not read them.
        dry_run: as in `Guard`.
    """
    if policies is None:
        return Guard(None, (), (), dry_run)
    ours = {p["metadata"]["name"]: p for p in policies if any(_matches(rule) for rule in _rules(p))}
    enforced = [
        b["spec"]["policyName"]
        for b in bindings or ()
        if b["spec"].get("policyName") in ours and "Deny" in (b["spec"].get("validationActions") or ())
    ]
    complaints = [
        f"{warning.get('fieldRef')}: {warning.get('warning')}"
        for policy in ours.values()
        for warning in ((policy.get("status") or {}).get("typeChecking") or {}).get("expressionWarnings") or ()
    ]
    return Guard(tuple(ours), tuple(dict.fromkeys(enforced)), tuple(complaints), dry_run)


def _rules(policy: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    rules: list[Mapping[str, Any]] = (policy["spec"].get("matchConstraints") or {}).get("resourceRules") or []
    return rules


def _matches(rule: Mapping[str, Any]) -> bool:
    return GROUP in (rule.get("apiGroups") or ()) and MEMBER_PLURAL in (rule.get("resources") or ())
