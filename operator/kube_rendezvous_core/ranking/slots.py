"""Which slot a member has: what the owner of its pod calls the pod, unique in the rendezvous.

A slot that somebody has said counts as it is. One that the member has guessed (from a completion index, or from the
last number of its pod's name) is an index within its owner: what the pod's labels say of the owner counts more than the
guess, and where several owners have pods in one rendezvous, the owner's name comes before the index. With one owner the
index stays alone, as it always was.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kube_rendezvous.resources import Member, RendezvousStatus
from kube_rendezvous.resources.slots import guessed_slot, owner_in_name, slot_of_owner
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.liveness.liveness import Liveness
from kube_rendezvous_core.observed.observation import ObservedMember
from kube_rendezvous_core.observed.surroundings import NOWHERE, ObservedPod, OwnedPlace, Surroundings

SLOTS_SHARED = "SlotsShared"
_NAMED = 5


def with_unique_slots(
    members: Sequence[ObservedMember], surroundings: Surroundings, status: RendezvousStatus
) -> Sequence[ObservedMember]:
    """The members, each with its slot in this rendezvous.

    Args:
        members: of one rendezvous, as they call themselves.
        surroundings: its pods.
        status: the slots of the round before: where the owner's name was needed once, it stays.
    """
    places = [_place_of(seen.member, surroundings.pods.get(seen.member.pod_uid)) for seen in members]
    if not any(place.owner for place in places):
        return members
    several = _several_owners(places, surroundings.pods.values(), status)
    return [_placed(seen, place, several=several) for seen, place in zip(members, places, strict=True)]


def _place_of(member: Member, pod: ObservedPod | None) -> OwnedPlace:
    """What the member's owner calls it; `NOWHERE` if that is not known, or the slot was said."""
    if pod is not None and pod.place.owner:
        guesses = ("", pod.place.index, pod.completion_index, guessed_slot(pod.name))
        return pod.place if member.slot in guesses else NOWHERE
    owner = owner_in_name(pod.name if pod is not None else member.pod_name, member.slot)
    return OwnedPlace(owner, member.slot) if owner else NOWHERE


def _several_owners(places: Sequence[OwnedPlace], pods: Iterable[ObservedPod], status: RendezvousStatus) -> bool:
    owners = {place.owner for place in places if place.owner}
    owners |= {pod.place.owner for pod in pods if pod.place.owner}
    if len(owners) > 1:
        return True
    recorded = set(status.slots)
    return any(slot_of_owner(place.owner, place.index) in recorded for place in places if place.owner)


def _placed(seen: ObservedMember, place: OwnedPlace, *, several: bool) -> ObservedMember:
    if not place.owner:
        return seen
    slot = slot_of_owner(place.owner, place.index) if several else place.index
    return seen if slot == seen.member.slot else replace(seen, member=replace(seen.member, slot=slot))


def shared_slots(members: Sequence[ObservedMember], liveness: Liveness) -> Notice:
    """The condition that names living members with one slot.

    One that was replaced lives on for the operator until its silence is proven: two share a slot only when the older
    one has been heard since the newer one was first.

    Args:
        members: as they were judged.
        liveness: the verdict on them.
    """
    slots = [member.slot for member in liveness.alive.values() if member.slot]
    twice = {slot for slot, count in Counter(slots).items() if count > 1} if len(set(slots)) < len(slots) else set()
    by_slot: dict[str, list[ObservedMember]] = {slot: [] for slot in twice}
    for seen in members if twice else ():
        if seen.member.slot in twice and seen.member.name in liveness.alive:
            by_slot[seen.member.slot].append(seen)
    shared = {slot: sorted(m.member.name for m in held) for slot, held in by_slot.items() if _together(held)}
    return Notice(
        SLOTS_SHARED,
        holds=bool(shared),
        reason="SameSlot",
        message=_sentence(shared),
        over_reason="SlotsUnique",
        over_message="Each member has a slot of its own, or none.",
    )


def _together(held: Sequence[ObservedMember]) -> bool:
    return len(held) > 1 and max(one.silence for one in held) < min(one.known_for for one in held)


def _sentence(shared: dict[str, list[str]]) -> str:
    if not shared:
        return ""
    groups = "; ".join(f"{', '.join(names[:_NAMED])} (slot {slot})" for slot, names in sorted(shared.items())[:_NAMED])
    return (
        f"Living members share a slot, so that a replacement cannot tell whose rank is its own: {groups}. Give each a "
        "slot that no other has: --rdzv-conf slot=…, or label the pods rendezvous.dev/name, so that their owner tells."
    )
