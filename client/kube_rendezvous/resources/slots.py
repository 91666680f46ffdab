"""Slots: the stable places of a run, as the owner of the pods calls them.

A member guesses its slot from what it knows of itself: the completion index of a Job, or the last number of its pod's
name. Alone that is not unique: two Jobs in one rendezvous both have an index 0, and the leader of group 1 in a
LeaderWorkerSet ends in the same number as the worker 1 of group 0. With the owner's name before it, it is.
"""

import hashlib
import re
from functools import lru_cache

SLOT_LENGTH = 63
"""The longest slot that the resource definitions allow."""

_ORDINAL_AT_THE_END = re.compile(r"^(?P<owner>.+)-(?P<index>\d{1,4})$")  # NAME-2: of a StatefulSet, of a role
_INDEX_OF_A_JOB = re.compile(r"^(?P<owner>.+)-(?P<index>\d+)-[a-z0-9]{5}$")  # NAME-2-x7k2p
_GROUP_AND_WORKER = re.compile(r"^(?P<owner>.+?)-(?P<group>\d{1,4})(-(?P<worker>\d{1,4}))?$")  # NAME-1, NAME-1-3


@lru_cache(maxsize=16_384)
def guessed_slot(pod_name: str) -> str:
    """The slot that a pod's name alone suggests: the number at its end; "" if there is none."""
    found = _ORDINAL_AT_THE_END.match(pod_name)
    return found["index"] if found else ""


@lru_cache(maxsize=16_384)
def owner_in_name(pod_name: str, slot: str) -> str:
    """The owner that a pod's name begins with, if the slot is what follows there; "" if the slot is from elsewhere:
    somebody has said it."""
    for pattern in (_ORDINAL_AT_THE_END, _INDEX_OF_A_JOB):
        found = pattern.match(pod_name)
        if found and slot and found["index"] == slot:
            return found["owner"]
    return ""


@lru_cache(maxsize=16_384)
def slot_of_owner(owner: str, index: str) -> str:
    """What a place is called where several owners have pods in one rendezvous: `workers/3`."""
    slot = f"{owner}/{index}"
    if len(slot) <= SLOT_LENGTH:
        return slot
    digest = hashlib.sha256(owner.encode()).hexdigest()[:8]
    return f"{owner[: SLOT_LENGTH - len(index) - len(digest) - 2]}~{digest}/{index}"


def slot_in_group(group: str, worker: str) -> str:
    """What a LeaderWorkerSet calls a pod: `1-3`, worker 3 of group 1; worker 0 is the leader."""
    return f"{group}-{worker}"


def possible_slots(pod_name: str, slot: str) -> set[str]:
    """Every name that the operator may have for a member's slot, which depends on what it knows of the pod's owner."""
    names = {slot} if slot else set()
    owner = owner_in_name(pod_name, slot)
    if owner:
        names.add(slot_of_owner(owner, slot))
        found = _GROUP_AND_WORKER.match(pod_name)
        if found:
            within = slot_in_group(found["group"], found["worker"] or "0")
            names |= {within, slot_of_owner(found["owner"], within)}
    return names
