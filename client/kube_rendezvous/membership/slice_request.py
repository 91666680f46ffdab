"""The one request with which a member finds its rank in a large round."""

from kube_rendezvous.cluster import ApiFailureError, ApiUnavailableError, Connection
from kube_rendezvous.membership.own_slice import OwnSlice
from kube_rendezvous.resources import SLICE_PLURAL
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.resources.rendezvous_slice import parse_slice, slice_name


def read_own_slice(
    connection: Connection, namespace: str, rendezvous: str, digest: str, member: str, timeout: float
) -> OwnSlice:
    """Read the slice of this digest for the member of this name.

    One that is gone belonged to a round that is over: its successor is on its way to us.

    Args:
        connection: to the API server.
        namespace, rendezvous: whose slice it is.
        digest: see `own_slice.unread_slice`.
        member: who asks.
        timeout: seconds.

    Raises:
        ApiFailureError: it could not be read.
    """
    path = object_path(SLICE_PLURAL, namespace, slice_name(rendezvous, digest))
    try:
        content = parse_slice(connection.request("GET", path, timeout=timeout)).content
    except ApiFailureError as failure:
        if failure.status != 404:
            raise
        return OwnSlice(digest, member)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ApiUnavailableError(f"GET {path}", 200, "", f"it cannot be read: {error!r}") from error
    return OwnSlice(digest, member, content.rank_of(member), content.members)
