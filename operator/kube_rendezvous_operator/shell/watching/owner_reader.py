"""Reads how many pods what makes the pods of a rendezvous is to make."""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous_core import ObservedOwner, OwnerRef
from kube_rendezvous_core.observed.owner_reading import COLLECTIONS, read_owner
from kube_rendezvous_operator.shell.watching.object_reader import ObjectReader


class OwnerReader(ObjectReader[ObservedOwner]):
    """Reads how many pods their owners are to make."""

    collections = COLLECTIONS
    loss = "What makes pods, if it is a %s, cannot be read, so that nobody knows how many it is yet to make: %s"

    def _parse(self, ref: OwnerRef, obj: Mapping[str, Any], run: str) -> ObservedOwner:
        return read_owner(ref, obj, run)

    def _gone(self, ref: OwnerRef) -> ObservedOwner:
        return ObservedOwner(ref, size=0, wanted=0, how="it is gone")
