"""The names under which the API server serves the resources."""

import re
from collections.abc import Iterable

GROUP = "rendezvous.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
SPOKEN_VERSIONS = (VERSION, "v1beta1")
"""The versions that are understood, the one that is spoken first where it is served. All have one schema."""

RENDEZVOUS_KIND = "Rendezvous"
RENDEZVOUS_PLURAL = "rendezvous"
MEMBER_KIND = "RendezvousMember"
MEMBER_PLURAL = "rendezvousmembers"
SLICE_KIND = "RendezvousSlice"
SLICE_PLURAL = "rendezvousslices"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
CLIENT_MANAGER = "kube-rendezvous-client"
"""Value of the managed-by label on a Rendezvous that a client made because it found none."""

NAME_LABEL = "rendezvous.dev/name"
"""Label of pods that take part in the Rendezvous of this name, in their own namespace."""

TRUST_ANNOTATION = "rendezvous.dev/trusted-places"
"""Annotation on a Rendezvous: places (`node/NAME`, `slot/N`, comma-separated) that are not quarantined."""


def best_version(served: Iterable[str]) -> str | None:
    """The version to speak, of those that are served; None: none of them is understood."""
    known = set(served)
    return next((version for version in SPOKEN_VERSIONS if version in known), None)


def collection_path(plural: str, namespace: str | None = None) -> str:
    """Path of all objects of one of the resources, in one namespace or (None) in the whole cluster."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{API_VERSION}{scope}/{plural}"


def object_path(plural: str, namespace: str, name: str) -> str:
    """Path of one object."""
    return f"{collection_path(plural, namespace)}/{name}"


_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def is_object_name(text: str) -> bool:
    """Whether there can be an object of this name. What people write where a name belongs may be a path, a query or
    anything else: it must be asked before a request names it, since the API server takes an escaped slash for one."""
    return _OBJECT_NAME.fullmatch(text) is not None and ".." not in text
