"""Which version of our group is spoken with an API server: the usual one, or another if that is not served.

Older definitions serve the first version only, and those of a later release will serve it no more. All versions have
one schema (docs/versions.md), so that the name is all that changes, and it changes here, at the border.
"""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous.resources.names import API_VERSION, GROUP

GROUP_PATH = f"/apis/{GROUP}"
_OURS = f"/apis/{API_VERSION}/"


def is_ours(path: str) -> bool:
    """Whether a path leads to our resources, in the version in which the code names them."""
    return path.startswith(_OURS)


def path_in(version: str, path: str) -> str:
    """The path in that version; a path to other resources stays."""
    return f"{GROUP_PATH}/{version}/{path.removeprefix(_OURS)}" if is_ours(path) else path


def body_in(version: str, body: Any) -> Any:
    """The body with that version wherever it names ours: its own, its owner's, that of the object it tells of."""
    if isinstance(body, Mapping):
        return {
            key: f"{GROUP}/{version}" if (key, value) == ("apiVersion", API_VERSION) else body_in(version, value)
            for key, value in body.items()
        }
    return [body_in(version, one) for one in body] if isinstance(body, list) else body


def version_is_not_served(status: int, reason: str) -> bool:
    """Whether an error means that nothing is served at the path. Where only an object is lacking, a reason says so."""
    return status == 404 and not reason


def served_versions(group: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions in an `APIGroup`."""
    return tuple(str(one.get("version", "")) for one in group.get("versions") or ())
