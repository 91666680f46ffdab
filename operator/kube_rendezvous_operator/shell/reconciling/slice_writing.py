"""Writes the slices of a large round before the status that points at them, and removes those that none points at.

Whoever sees round r sees all of it: every slice is there before the status, and goes only when the round after next has
been written, for those who are slow. Whatever dies in between leaves slices behind that nobody is pointed at. These are
found and removed at the first round that another process publishes.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous.cluster.slice_list import list_slices
from kube_rendezvous.resources import SLICE_PLURAL, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.rendezvous_slice import (
    RendezvousSlice,
    digests_in,
    history_unsaid,
    parse_slice,
    slice_manifest,
    slice_name,
)
from kube_rendezvous_core import Decision
from kube_rendezvous_core.slicing import Leftovers, SliceSizes, cut, leftovers, mended, without_idle_keys
from kube_rendezvous_operator.shell.monitoring.log_reference import about_rendezvous
from kube_rendezvous_operator.shell.reconciling.member_deletion import ChangedMeanwhileError
from kube_rendezvous_operator.shell.watching.member_cache import Key

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Loose:
    """Slices of one Rendezvous that its newest status does not point at."""

    uid: str
    digests: set[str] = field(default_factory=set)


class SliceWriting:
    """Of all rendezvous. One thread at a time deals with one of them.

    Args:
        connection: to the API server.
        permit: called before every write; raises if this process must not write (any more).
        sizes: which rounds have slices, and of what size.
        is_gone: whether the slice of this namespace and name was deleted, as far as is known.
    """

    def __init__(
        self,
        connection: Connection,
        permit: Callable[[], None],
        sizes: SliceSizes,
        is_gone: Callable[[str, str], bool] = lambda *_: False,
    ) -> None:
        self._connection, self._permit, self._sizes, self._is_gone = connection, permit, sizes, is_gone
        self._loose: dict[Key, _Loose] = {}
        self._refused: set[Key] = set()

    def prepared(self, rendezvous: Rendezvous, decision: Decision) -> RendezvousStatus:
        """The status that is to be written. Where it points at slices, these are there.

        Args:
            rendezvous: as it was decided on.
            decision: what is to be written.

        Raises:
            ChangedMeanwhileError: look again.
            ApiFailureError: slices are needed and cannot be written.
        """
        before, after = rendezvous.status, decision.status
        size, sizes = len(after.ranks), self._sizes
        fits = size <= sizes.inline
        if fits and after.sliced is not None and not decision.reads_slices:  # one of them may not, it turns out
            return replace(after, sliced=None)
        if after.round == before.round and after.sliced is not None:
            after = without_idle_keys(history_unsaid(after, before))
        gone = self.gone(rendezvous, before)
        if after.round == before.round and gone:
            made = mended(after, rendezvous.uid, gone)
            self._say_made_again(rendezvous, len(made.new))
        elif after.round == before.round or size <= sizes.above or (fits and not decision.reads_slices):
            return after
        else:
            made = cut(before, after, rendezvous.uid, sizes, gone)
        try:
            for one in made.new:
                self._write(rendezvous, one)
        except ApiRefusedError as refusal:
            if not fits or refusal.status not in (403, 404, 422):
                raise
            self._say_once(rendezvous, refusal)
            return after
        return made.status

    def gone(self, rendezvous: Rendezvous, status: RendezvousStatus) -> frozenset[str]:
        """The digests of slices that this status of the Rendezvous points at, but that somebody has deleted.

        Kubernetes itself may delete them before a Rendezvous that is being deleted: those are to go.
        """
        if rendezvous.being_deleted:
            return frozenset()
        namespace, name = rendezvous.namespace, rendezvous.name
        return frozenset(one for one in digests_in(status) if self._is_gone(namespace, slice_name(name, one)))

    def written(self, rendezvous: Rendezvous, after: RendezvousStatus) -> None:
        """Remove what has been superseded for long enough.

        Args:
            rendezvous: with the status before.
            after: the status that was written.
        """
        key, before = (rendezvous.namespace, rendezvous.name), rendezvous.status
        if (after.round, after.sliced) == (before.round, before.sliced):
            return
        known = self._loose.get(key)
        if before.sliced is None and after.sliced is None and known is None:
            return
        needed = digests_in(after) | digests_in(before)
        try:
            if known is None or known.uid != rendezvous.uid:
                known = self._loose[key] = _Loose(rendezvous.uid)
                left = self._left_by_others(rendezvous, after)
                known.digests |= left.past | left.present
                needed |= left.present  # perhaps: others may have written since
            for digest in sorted(known.digests - needed):
                self._delete(rendezvous, digest)
                known.digests.discard(digest)
        except ApiFailureError as failure:  # another round will come
            _log.debug("Slices of %s/%s are left for later: %s", *key, failure)
        if known is not None:
            known.digests = (known.digests | digests_in(before)) - digests_in(after)

    def forget(self, key: Key) -> None:
        """This rendezvous is gone, and Kubernetes removes what is its."""
        self._loose.pop(key, None)
        self._refused.discard(key)

    def _write(self, rendezvous: Rendezvous, one: RendezvousSlice) -> None:
        key = (rendezvous.namespace, rendezvous.name)
        self._permit()
        known = self._loose.get(key)
        if known is not None:
            known.digests.add(one.digest)
        try:
            path = collection_path(SLICE_PLURAL, rendezvous.namespace)
            self._connection.request("POST", path, body=slice_manifest(rendezvous, one))
        except ApiFailureError as failure:
            if failure.status != 409:
                raise
            self._compare(rendezvous, one)

    def _compare(self, rendezvous: Rendezvous, one: RendezvousSlice) -> None:
        """It is there already: written by us, whose answer was lost, or by another operator that found the same."""
        try:
            raw = self._connection.request("GET", _path(rendezvous, one.digest))
        except ApiFailureError as failure:
            if failure.status == 404:
                raise ChangedMeanwhileError from failure
            raise
        if parse_slice(raw) != one or "deletionTimestamp" in raw["metadata"]:
            raise ChangedMeanwhileError

    def _left_by_others(self, rendezvous: Rendezvous, after: RendezvousStatus) -> Leftovers:
        slices = list_slices(self._connection, rendezvous.namespace, rendezvous.name)
        return leftovers(slices, after, rendezvous.status)

    def _delete(self, rendezvous: Rendezvous, digest: str) -> None:
        self._permit()
        try:
            self._connection.request("DELETE", _path(rendezvous, digest))
        except ApiFailureError as failure:
            if failure.status != 404:
                raise

    def _say_made_again(self, rendezvous: Rendezvous, count: int) -> None:
        key = (rendezvous.namespace, rendezvous.name)
        if count:
            text = "Rendezvous %s/%s: %d of its RendezvousSlices were deleted by somebody, and are made again"
            _log.warning(text, *key, count, extra=about_rendezvous(key))

    def _say_once(self, rendezvous: Rendezvous, refusal: ApiRefusedError) -> None:
        key = (rendezvous.namespace, rendezvous.name)
        if key not in self._refused:
            self._refused.add(key)
            text = "Rendezvous %s/%s: its members are named in its status, since RendezvousSlices cannot be written: %s"
            _log.warning(text, *key, refusal, extra=about_rendezvous(key))


def _path(rendezvous: Rendezvous, digest: str) -> str:
    return object_path(SLICE_PLURAL, rendezvous.namespace, slice_name(rendezvous.name, digest))
