"""Reads all the names of a large round: for whoever shows or decides on all of it. A member reads one slice only."""

from collections.abc import Callable
from dataclasses import replace

from kube_rendezvous.cluster.connection import Connection
from kube_rendezvous.cluster.failures import ApiUnavailableError
from kube_rendezvous.cluster.paging import Paging
from kube_rendezvous.resources import SLICE_PLURAL, Rendezvous
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous.resources.rendezvous_slice import RendezvousSlice, assembled, missing_slices, parse_slice

_FIRST_PAGE = 200
"""Slices are bounded: some kilobytes each."""
_TRIES = 5


def list_slices(connection: Connection, namespace: str, rendezvous: str) -> list[RendezvousSlice]:
    """All slices of the Rendezvous of this name, in use or not.

    Raises:
        ApiFailureError: they cannot be listed.
    """
    path = collection_path(SLICE_PLURAL, namespace)
    paging, page, found = Paging(_FIRST_PAGE), "", list[RendezvousSlice]()
    while True:
        query = {"fieldSelector": f"spec.rendezvous={rendezvous}", "limit": str(paging.limit)}
        sizes: list[int] = []
        answer = connection.request(
            "GET", path, query={**query, "continue": page} if page else query, told_size=sizes.append
        )
        items = answer.get("items") or ()
        try:
            found.extend(map(parse_slice, items))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ApiUnavailableError(f"GET {path}", 200, "", f"a slice cannot be read: {error!r}") from error
        paging.answered(len(items), sum(sizes))
        page = str((answer.get("metadata") or {}).get("continue") or "")
        if not page:
            return found


def with_names(connection: Connection, rendezvous: Rendezvous, newest: Callable[[], Rendezvous]) -> Rendezvous:
    """The Rendezvous, or a newer version of it, with all names in its status.

    Args:
        connection: to the API server.
        rendezvous: as it was seen.
        newest: reads it again, consistently: slices that are gone belong to a version that is over.

    Raises:
        ApiFailureError: what it needs cannot be read; or round followed round so fast that none could be read.
    """
    for _ in range(_TRIES):
        if not rendezvous.status.is_unread:
            return rendezvous
        slices = list_slices(connection, rendezvous.namespace, rendezvous.name)
        if missing_slices(rendezvous.status, slices):
            read = newest()
            if (read.uid, read.status.sliced) != (rendezvous.uid, rendezvous.status.sliced):
                rendezvous = read
                continue
            rendezvous = read
        return replace(rendezvous, status=assembled(rendezvous.status, slices))
    path = collection_path(SLICE_PLURAL, rendezvous.namespace)
    raise ApiUnavailableError(f"GET {path}", 0, "", f"the slices of {rendezvous.name} change all the time")
