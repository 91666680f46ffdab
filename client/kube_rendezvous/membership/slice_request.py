"""Reads the one slice of a large round that is a member's own: at once for its rank, or in its time for its circle."""

import logging
from collections.abc import Callable

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.failures import is_no_such_object
from kube_rendezvous.membership.member_writer import MemberWriter
from kube_rendezvous.membership.own_slice import OwnSlice, may_be_named_in_status
from kube_rendezvous.resources import SLICE_PLURAL, Rendezvous
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.resources.rendezvous_slice import parse_slice, slice_name

_log = logging.getLogger(__name__)


class SliceReader:
    """Of one Rendezvous.

    Args:
        connection: to the API server.
        namespace, rendezvous: whose slices they are.
        what: the Rendezvous, for messages.
    """

    def __init__(self, connection: Connection, namespace: str, rendezvous: str, what: str) -> None:
        self._connection, self._namespace, self._rendezvous, self._what = connection, namespace, rendezvous, what

    def read(self, digest: str, member: str, timeout: float) -> OwnSlice:
        """Read the slice of this digest for the member of this name.

        One that is gone belonged to a round that is over: its successor is on its way to us.

        Args:
            digest: see `own_slice.unread_slice`.
            member: who asks.
            timeout: seconds.

        Raises:
            ApiFailureError: it could not be read.
        """
        name = slice_name(self._rendezvous, digest)
        path = object_path(SLICE_PLURAL, self._namespace, name)
        try:
            content = parse_slice(self._connection.request("GET", path, timeout=timeout)).content
        except ApiFailureError as failure:
            if not is_no_such_object(failure, name):
                raise
            return OwnSlice(digest, member)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ApiUnavailableError(f"GET {path}", 200, "", f"it cannot be read: {error!r}") from error
        return OwnSlice(digest, member, content.rank_of(member), content.members)

    def read_or_ask_to_do_without(
        self,
        digest: str,
        member: str,
        deadline: float,
        writer: MemberWriter,
        newest: Callable[[], Rendezvous | None],
        ask: Callable[[dict[str, bool], float], bool],
    ) -> OwnSlice:
        """Read it for the member's rank. Who may not read it asks the operator to do without, where that is possible.

        Args:
            digest, member: as in `read`.
            deadline: on the monotonic clock, seconds.
            writer: persists.
            newest: the Rendezvous.
            ask: writes a field of the Member, within so many seconds.

        Raises:
            ApiRefusedError, ApiUnavailableError: it could be neither read nor done without until the deadline.
        """
        try:
            return writer.persist(lambda seconds: self.read(digest, member, seconds), deadline)
        except ApiRefusedError as refusal:
            rendezvous = newest()
            if refusal.status != 403 or rendezvous is None or not may_be_named_in_status(rendezvous.status):
                raise
            text = "%s: no slice of a large round can be read, the operator is asked to do without: %s"
            _log.warning(text, self._what, writer.explain(refusal))
            writer.persist(lambda seconds: ask({"readsSlices": False}, seconds), deadline)
            return OwnSlice(digest, member)
