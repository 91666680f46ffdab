"""What the Member of this node is called, and what it says of the node when it joins."""

import random
from datetime import datetime
from typing import Any

from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.resources import member_manifest
from kube_rendezvous.resources.failure_policy import possible_places

_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as Kubernetes' own generated names: no words, no look-alikes
_NAME_RANDOM = 5


def new_name(identity: Identity) -> str:
    """Of another incarnation of this node."""
    return f"{identity.name_prefix}-{''.join(random.choices(_NAME_LETTERS, k=_NAME_RANDOM))}"


def manifest_of(
    identity: Identity,
    name: str,
    rendezvous: str,
    rendezvous_uid: str,
    port: int,
    now: datetime,
    holds_place: bool,
    watch_port: int,
    after_round: int = 0,
) -> dict[str, Any]:
    """The body with which it joins.

    Args:
        identity: who this node is.
        name: of the Member.
        rendezvous, rendezvous_uid: what it joins; the UID is "" if it is not known yet.
        port: on which this node listens for the bootstrap store.
        now: when it joins, UTC.
        holds_place: whether no other process of this pod can be in its slot.
        watch_port: where neighbours may ask whether it lives; 0: nowhere.
        after_round: only a later round can be one of its own.
    """
    return member_manifest(
        name=name,
        rendezvous=rendezvous,
        rendezvous_uid=rendezvous_uid,
        address=identity.address,
        port=port,
        renew_time=now,
        pod_name=identity.pod_name,
        pod_uid=identity.pod_uid,
        node_name=identity.node_name,
        slot=identity.slot,
        holds_place=holds_place,
        watch_port=watch_port,
        after_round=after_round,
    )


def places_of(identity: Identity) -> frozenset[str]:
    """Where it sits, as `status.quarantined` may name it."""
    return frozenset(possible_places(identity.node_name, identity.pod_name, identity.slot))
