"""What is kept of an object of the API server from the moment it is read: nothing that people may make large."""

from typing import Any

from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.resources.names import MANAGED_BY_LABEL, TRUST_ANNOTATION

_IDENTITY = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_MOST_ENTRIES = 100
_LONGEST_VALUE = 1024


def slim_custom_resource(obj: Object) -> Object:
    """A Rendezvous or a RendezvousMember: spec and status are bounded by their schema, metadata is not."""
    return {**obj, "metadata": _chosen(obj["metadata"], {MANAGED_BY_LABEL}, {TRUST_ANNOTATION})}


def slim_object(obj: Object) -> Object:
    """A Pod or a Node: the first hundred labels and annotations of theirs, those of Kubernetes first."""
    meta = obj["metadata"]
    kept = {key: value for key, value in meta.items() if key not in ("managedFields", "labels", "annotations")}
    return {**obj, "metadata": kept | {key: _bounded(meta.get(key)) for key in ("labels", "annotations")}}


def _chosen(meta: Object, labels: set[str], annotations: set[str]) -> Object:
    kept: dict[str, Any] = {key: meta[key] for key in _IDENTITY if key in meta}
    for key, wanted in (("labels", labels), ("annotations", annotations)):
        kept[key] = {name: value for name, value in (meta.get(key) or {}).items() if name in wanted}
    return kept


def _bounded(entries: dict[str, str] | None) -> dict[str, str]:
    if not entries:
        return {}
    if len(entries) > _MOST_ENTRIES:
        first = sorted(entries, key=lambda name: (not _is_of_kubernetes(name), name))[:_MOST_ENTRIES]
        entries = {name: entries[name] for name in first}
    return {name: value for name, value in entries.items() if len(value) <= _LONGEST_VALUE}


def _is_of_kubernetes(name: str) -> bool:
    domain = name.partition("/")[0]
    return domain.endswith(("kubernetes.io", "k8s.io", "rendezvous.dev"))
