"""Reads what the PodGroups of the pods of a rendezvous say; nothing is asked where no pod names one."""

from collections.abc import Mapping
from typing import Any

from kube_rendezvous_core import ObservedPodGroup, OwnerRef
from kube_rendezvous_core.observed.pod_group_reading import POD_GROUPS, read_pod_group
from kube_rendezvous_operator.shell.watching.object_reader import ObjectReader


class PodGroupReader(ObjectReader[ObservedPodGroup]):
    """Reads PodGroups."""

    collections = POD_GROUPS
    loss = "What is scheduled together, as a %s says, cannot be read, so that ranks do not follow its topology: %s"

    def _parse(self, ref: OwnerRef, obj: Mapping[str, Any], run: str) -> ObservedPodGroup:
        return read_pod_group(ref, obj)

    def _gone(self, ref: OwnerRef) -> ObservedPodGroup:
        return ObservedPodGroup(ref)
