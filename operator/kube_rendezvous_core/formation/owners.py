"""What makes the pods of a rendezvous, and how many it is to have: who else is on the way before a pod is there.

A StatefulSet with `OrderedReady` makes its pods one after the other, and a Job waits for ten seconds before it replaces
one: "no other pod is on its way" is not yet "nobody else comes". The owner is asked only when a decision rests on that
(`Decision.owners_to_read`): before a first round or a growth goes without last call, and before it is said that too few
can ever come. Survivors of a loss never wait for a pod that is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kube_rendezvous.resources import RendezvousSpec
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.observed.surroundings import ObservedOwner, ObservedPod, OwnerRef, Surroundings

SIZE_MISMATCH = "SizeMismatch"


@dataclass(frozen=True, slots=True)
class ToCome:
    """What one owner lacks.

    Args:
        owner: which.
        missing: how many pods it has yet to make, or to make again.
        by_itself: it will, without anybody's help: one that makes them in order waits for the pod before.
    """

    owner: ObservedOwner
    missing: int
    by_itself: bool

    def __str__(self) -> str:
        more = "1 more pod" if self.missing == 1 else f"{self.missing} more pods"
        return f"{self.owner.ref} ({more} to be made)"[:253]


def pods_to_come(surroundings: Surroundings) -> tuple[ToCome, ...]:
    """What the owners that are known lack."""
    found = []
    for owner in known_owners(surroundings):
        live = [pod for pod in surroundings.pods.values() if pod.owner == owner.ref and may_live(pod)]
        missing = owner.wanted - len(live)
        if missing > 0:
            by_itself = not (owner.in_order and any(pod.hindrance is not None for pod in live))
            found.append(ToCome(owner, missing, by_itself))
    return tuple(found)


def known_owners(surroundings: Surroundings) -> tuple[ObservedOwner, ...]:
    """The owners that have been read, by kind and name."""
    return tuple(owner for _, owner in sorted(surroundings.owners.items(), key=lambda item: item[0]) if owner)


def unread_owners(surroundings: Surroundings) -> tuple[OwnerRef, ...]:
    """The owners of its pods that nobody has tried to read."""
    return tuple(sorted(ref for ref in surroundings.owner_refs if ref not in surroundings.owners))


def may_live(pod: ObservedPod) -> bool:
    """Whether a pod neither ended nor is ending."""
    return pod.phase not in ("Succeeded", "Failed") and not pod.deleting and not pod.disruption


def size_mismatch(spec: RendezvousSpec, surroundings: Surroundings, outsiders: int) -> Notice:
    """The condition that names bounds of the world that the owners of the pods do not fit.

    Args:
        spec: with the bounds.
        surroundings: the pods' owners.
        outsiders: members outside labelled pods: how many more of them come nobody knows.
    """
    owners = {ref: surroundings.owners.get(ref) for ref in surroundings.owner_refs}
    known = {ref: owner for ref, owner in owners.items() if owner is not None}
    ownerless = any(pod.owner is None for pod in surroundings.pods.values())
    holds: bool | None = None
    reason = message = ""
    if known and len(known) == len(owners) and not outsiders and not ownerless:
        reason, message = _misfit(spec, known)
        holds = bool(reason)
    return Notice(
        SIZE_MISMATCH, holds, reason, message, "SizesFit", "minNodes and maxNodes fit the owners of the pods."
    )


def _misfit(spec: RendezvousSpec, owners: Mapping[OwnerRef, ObservedOwner]) -> tuple[str, str]:
    total = sum(owner.size for owner in owners.values())
    made = sizes_of(owners)
    if 0 < total < spec.min_nodes:
        return "TooFewReplicas", (
            f"minNodes is {spec.min_nodes}, but there are never more than {total} pods ({made}): no round can be "
            "formed. Raise that, or lower spec.minNodes."
        )
    spares = spec.max_spares or 0
    if total > spec.max_nodes + spares:
        idle = total - spec.max_nodes
        return "MoreReplicasThanPlaces", (
            f"maxNodes is {spec.max_nodes}, but there are {total} pods ({made}): {idle} of them never train. Raise "
            f"spec.maxNodes, or say with spec.standby.max: {idle} that they are spares."
        )
    return "", ""


def sizes_of(owners: Mapping[OwnerRef, ObservedOwner]) -> str:
    """The owners with how many pods each has, for sentences."""
    return "; ".join(f"{ref}: {owner.how}" for ref, owner in sorted(owners.items()) if owner.size)[:300]
