"""Which object a log line is about: pass the answer as ``extra``; kopf's JSON format shows it as the field `object`."""

from typing import Any

from kube_rendezvous.resources import API_VERSION, MEMBER_KIND, RENDEZVOUS_KIND


def reference(api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """A line about any object."""
    return {"k8s_ref": {"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name}}


def about_rendezvous(key: tuple[str, str]) -> dict[str, Any]:
    """A line about a Rendezvous, by namespace and name."""
    return reference(API_VERSION, RENDEZVOUS_KIND, *key)


def about_member(namespace: str, name: str) -> dict[str, Any]:
    """A line about a RendezvousMember."""
    return reference(API_VERSION, MEMBER_KIND, namespace, name)
