"""Who may join (`spec.admission`), and at which address the bootstrap store is published.

The API server has seen to it that a Member names the pod whose token wrote it (the chart's admission policy); here it
is compared with what that pod's label says. Who has a rank is not asked again: nobody is thrown out of a standing round
because a label or the spec was edited.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from kube_rendezvous.resources import LARGEST_WORLD, Member, Rendezvous
from kube_rendezvous.resources.admission_spec import AdmittedAddresses, AdmittedPods
from kube_rendezvous_core.observed.observation import ObservedMember
from kube_rendezvous_core.observed.surroundings import Surroundings

NOT_ADMITTED = "NotAdmitted"

POD_SEEN_WITHIN_SECONDS = 15.0
"""A member may be seen before its pod; so long it is neither taken in nor sent away."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """``refused``: those that may never join, each with why; ``unknown``: whose pod has not been seen yet."""

    members: tuple[ObservedMember, ...]
    refused: tuple[tuple[Member, str], ...] = ()
    unknown: tuple[Member, ...] = ()


def admit(rendezvous: Rendezvous, members: Iterable[ObservedMember], surroundings: Surroundings) -> Admitted:
    """Sort out who may not take part.

    Args:
        rendezvous: its spec tells who may.
        members: all that belong to it.
        surroundings: the pods, as far as they are known.
    """
    ranked = frozenset(rendezvous.status.ranks)
    admitted: list[ObservedMember] = []
    refused: list[tuple[Member, str]] = []
    unknown: list[Member] = []
    for seen in members:
        member = seen.member
        why = "" if member.name in ranked else _refusal(rendezvous, seen, surroundings)
        if why is None:
            unknown.append(member)
        elif why and not seen.deleted:
            refused.append((member, why))
        elif not why:
            admitted.append(seen)
    return Admitted(tuple(admitted), tuple(refused), tuple(unknown))


def store_address(rendezvous: Rendezvous, member: Member, surroundings: Surroundings) -> str:
    """Where the bootstrap store of this member is reached: the pod's own address, if the member names a foreign one.

    The member listens on all addresses of its pod, so that it is found there as well.
    """
    pod = surroundings.pods.get(member.pod_uid) if member.pod_uid else None
    if rendezvous.spec.admission.addresses is AdmittedAddresses.ANY or pod is None or not pod.addresses:
        return member.address
    return member.address if member.address in pod.addresses else pod.addresses[0]


def _refusal(rendezvous: Rendezvous, seen: ObservedMember, surroundings: Surroundings) -> str | None:
    """Why a member may not join; "": it may; None: its pod is not known yet."""
    rule, member = rendezvous.spec.admission, seen.member
    if rule.addresses is not AdmittedAddresses.ANY and is_nobodys(member.address):
        return f"{member.address} is no address of a node (spec.admission.addresses)"
    other = surroundings.labelled_for(member.pod_uid)
    if other and other != rendezvous.name:
        return f"its pod {member.pod_name} is labelled for {other}"
    if rule.pods is AdmittedPods.NOT_OTHERS and not rule.service_accounts:
        return ""
    if not member.pod_uid:
        return "it names no pod (spec.admission)"
    pod = surroundings.pods.get(member.pod_uid)
    if pod is None:
        return (
            None
            if seen.known_for < POD_SEEN_WITHIN_SECONDS
            else f"its pod {member.pod_name} is not labelled for this rendezvous"
        )
    if rule.service_accounts and pod.service_account not in rule.service_accounts:
        return f"service account {pod.service_account or 'default'} of its pod is not among spec.admission's"
    return ""


@lru_cache(maxsize=2 * LARGEST_WORLD)  # one that is too small keeps nothing at all
def is_nobodys(address: str) -> bool:
    """Whether no node can be reached there by others, such as a cloud's metadata service."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return True
    return isinstance(ip, ipaddress.IPv4Address) and ip.is_link_local
