"""The two requests that write a Member, and what their answers mean."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.cluster.failures import is_no_such_object
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.resources.timestamps import format_time


def post_once(connection: Connection, path: str, body: dict[str, Any], timeout: float) -> Object | None:
    """POST; None if an object of that name exists: an earlier try of ours whose answer was lost, or somebody else's.

    Args:
        timeout: seconds.

    Raises:
        ApiRefusedError, ApiUnavailableError: anything else is in the way.
    """
    try:
        return connection.request("POST", path, body=body, timeout=timeout)
    except ApiFailureError as failure:
        if failure.reason == "AlreadyExists":
            return None
        raise


def patch_member(
    connection: Connection,
    namespace: str,
    name: str,
    spec: dict[str, Any],
    timeout: float,
    look_at: Callable[[Object], None] = lambda _: None,
) -> bool:
    """Write these fields and that it lives now; False if the Member is gone.

    Args:
        timeout: seconds.
        look_at: called with what was written.

    Raises:
        ApiRefusedError, ApiUnavailableError: it could not be written.
    """
    wish = {"spec": {**spec, "renewTime": format_time(datetime.now(UTC))}}
    path = object_path(MEMBER_PLURAL, namespace, name)
    try:
        written = connection.request("PATCH", path, body=wish, content_type=MERGE_PATCH, timeout=timeout)
    except ApiFailureError as failure:
        if is_no_such_object(failure, name):
            return False
        raise
    look_at(written)
    # A finalizer of somebody else may keep what nobody counts with any more.
    return "deletionTimestamp" not in (written.get("metadata") or {})
