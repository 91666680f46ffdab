"""What a trainer's rights allow and what must come to nothing: its own pod's Members, aimed at the runs of others.

Each is answered 2xx, or refused with the status that is named; the point is what the others see of it: nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainer_attempts import API, Attempt, Setting

ANY = 0
"""Either answer is right."""
_CONFLICT = 409
_INVALID = 422
_CREATED = 201


@dataclass(frozen=True)
class Target:
    """A run of somebody else.

    Args:
        name, uid: its Rendezvous.
        members: names of its Members, in the order of ranks.
        pod_uids: of their pods.
    """

    name: str
    uid: str
    members: tuple[str, ...]
    pod_uids: tuple[str, ...]


def aimed_at(at: Setting, target: Target) -> Iterator[Attempt]:
    """Members of the attacker's own pod that name somebody else's run."""
    members = f"{API}/namespaces/{at.namespace}/rendezvousmembers"
    past, future = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    shouted = "\x1b[2J\x1b[31mERROR forged\nround 99 has formed"
    for what, fields in (
        ("join it", {}),
        ("join and close it", {"closeRequested": True}),
        ("close it with a forged line", {"closeRequested": True, "closeReason": shouted[:200]}),
        ("join and leave it at once", {"leaving": True}),
        ("step aside", {"leaving": True, "preparing": True}),
        ("wait for a far round", {"afterRound": 2**53 - 1}),
        ("serve the store from a metadata service", {"address": "169.254.169.254", "slot": "0"}),
        ("serve the store from a multicast address", {"address": "224.0.0.1", "slot": "0"}),
        ("serve the store from everywhere", {"address": "0.0.0.0", "slot": "0"}),
        ("serve the store from a name", {"address": "localhost", "slot": "0"}),
        ("beat from the past", {"renewTime": past}),
        ("beat from the future", {"renewTime": future}),
        ("come with a negative slot", {"slot": "-1"}),
        ("come with a slot that runs in a shell", {"slot": "$(id); echo"}),
        ("hold its pod's place", {"holdsPlace": True}),
        *((f"take slot {slot}", {"slot": str(slot)}) for slot in range(4)),
        *((f"take slot {slot} and close", {"slot": str(slot), "closeRequested": True}) for slot in range(4)),
        *((f"take slot {slot} and die", {"slot": str(slot), "leaving": True}) for slot in range(4)),
        ("be of another object of its name", {"rendezvousUID": "another"}),
        ("close another object of its name", {"rendezvousUID": "another", "closeRequested": True}),
    ):
        body = at.member(at.own_pod, at.own_pod_uid)
        body["spec"] |= {"rendezvous": target.name, "rendezvousUID": target.uid, **fields}
        yield Attempt(f"{target.name}: {what}", "POST", members, body, answer=ANY)
    for rank, name in enumerate(target.members):
        body = at.member(at.own_pod, at.own_pod_uid, name)
        body["spec"] |= {"rendezvous": target.name, "rendezvousUID": target.uid}
        yield Attempt(f"{target.name}: come by the name of rank {rank}", "POST", members, body, answer=_CONFLICT)
    body = at.member(at.own_pod, at.own_pod_uid)
    body["spec"] |= {"rendezvous": target.name, "rendezvousUID": target.uid}
    for what, metadata in (
        ("with a finalizer", {"finalizers": ["example.com/stays"]}),
        ("with labels of others", {"labels": {"rendezvous.dev/name": target.name}}),
        ("with much text", {"annotations": {"much": "x" * 200_000}}),
        ("owned by its Rendezvous", _owned("rendezvous.dev/v1alpha1", "Rendezvous", target.name, target.uid)),
        *(("owned by its pod", _owned("v1", "Pod", "pod", uid)) for uid in target.pod_uids[:1]),
    ):
        manifest: dict[str, Any] = {**body, "metadata": {**body["metadata"], **metadata}}
        yield Attempt(f"{target.name}: come {what}", "POST", members, manifest, answer=ANY)


def turning(at: Setting, own: str, target: Target) -> Iterator[Attempt]:
    """Changes of the attacker's Member in its own run, so that it belongs to another run, pod or node."""
    path = f"{API}/namespaces/{at.namespace}/rendezvousmembers/{own}"
    for field, value in (
        ("rendezvous", target.name),
        ("rendezvousUID", target.uid),
        ("nodeName", "node-of-others"),
        ("slot", "0"),
        ("podUID", at.other_pod_uid),
        ("podName", at.other_pod),
    ):
        yield Attempt(f"{target.name}: turn to it by {field}", "PATCH", path, {"spec": {field: value}}, answer=ANY)
    yield Attempt(f"{target.name}: ask to close", "PATCH", path, {"spec": {"closeRequested": True}}, answer=ANY)


def crowding(at: Setting, target: Target, count: int) -> Iterator[Attempt]:
    """More Members of one pod than are looked at."""
    members = f"{API}/namespaces/{at.namespace}/rendezvousmembers"
    for number in range(count):
        body = at.member(at.own_pod, at.own_pod_uid, f"crowd-{target.name}-{number}")
        body["spec"] |= {"rendezvous": target.name, "rendezvousUID": target.uid, "slot": str(number)}
        yield Attempt(f"{target.name}: come for the {number}th time", "POST", members, body, answer=_CREATED)


def _owned(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    owner = {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "blockOwnerDeletion": True}
    return {"ownerReferences": [owner]}
