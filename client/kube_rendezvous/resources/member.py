"""``RendezvousMember``: one incarnation of a handler, written only by its own pod."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube_rendezvous.printable_text import one_line, printable
from kube_rendezvous.resources.names import API_VERSION, MEMBER_KIND
from kube_rendezvous.resources.timestamps import format_time, parse_time

INCARNATION_LENGTH = 8
"""Of a random UID: nobody meets the same again within the life of a round."""


class MalformedMemberError(ValueError):
    """A Member object whose content makes no sense; the text names the object and the field."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one Member object says.

    ``name`` is unique to the incarnation: an entry in ``ranks`` can never mean a process that has since
    restarted. ``after_round`` says "I hold no round newer than this and wait for one". ``preparing``, beside
    ``leaving``: its node is still there, and joins anew when it is ready. ``holds_place``: see `member_manifest`.
    ``being_deleted``: it is over with it, although somebody's finalizer keeps the object. ``watch_port``: on which it
    answers its neighbours (0: it does not), ``suspects``: those of them that it does not hear (`neighbours`).
    ``rendezvous_uid``: "" until it knows it (`belonging`).
    ``reads_slices``: it finds its rank in a large round, too (`rendezvous_slice`).
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    rendezvous: str
    rendezvous_uid: str
    address: str
    port: int
    pod_name: str = ""
    pod_uid: str = ""
    node_name: str = ""
    slot: str = ""
    after_round: int = 0
    renew_time: str = ""
    holds_place: bool = False
    leaving: bool = False
    preparing: bool = False
    close_requested: bool = False
    close_reason: str = ""
    being_deleted: bool = False
    watch_port: int = 0
    suspects: tuple[str, ...] = ()
    reads_slices: bool = False

    @property
    def incarnation(self) -> str:
        """The beginning of the UID: enough to tell it from another object of the same name."""
        return self.uid[:INCARNATION_LENGTH]


def parse_member(obj: Mapping[str, Any]) -> Member:
    """Read a Member from the API server's JSON. Its texts are one line each from here on.

    Raises:
        MalformedMemberError: a field is missing, of the wrong type or out of range.
    """
    meta: Mapping[str, Any] = obj.get("metadata") or {}
    spec: Mapping[str, Any] = obj.get("spec") or {}
    if not isinstance(meta, Mapping) or not isinstance(spec, Mapping):
        raise MalformedMemberError(f"RendezvousMember: metadata or spec is no object ({obj!r:.80})")
    where = f"RendezvousMember {meta.get('namespace')}/{meta.get('name')}"

    def text(key: str, *, required: bool = False) -> str:
        value = spec.get(key, "")
        if not isinstance(value, str) or (required and not value):
            raise MalformedMemberError(f"{where}: spec.{key} is {value!r:.80}, not a name")
        return value

    def number(key: str, default: int, low: int, high: int) -> int:
        value = spec.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise MalformedMemberError(f"{where}: spec.{key} is {value!r:.80}, not a number from {low} to {high}")
        return value

    def names(key: str) -> tuple[str, ...]:
        value = spec.get(key) or []
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise MalformedMemberError(f"{where}: spec.{key} is {value!r:.80}, not a list of names")
        return tuple(map(one_line, value))

    try:
        created = parse_time(meta["creationTimestamp"])
        return Member(
            namespace=str(meta["namespace"]),
            name=str(meta["name"]),
            uid=str(meta["uid"]),
            resource_version=str(meta["resourceVersion"]),
            created=created,
            rendezvous=text("rendezvous", required=True),
            rendezvous_uid=text("rendezvousUID"),
            address=text("address", required=True),
            port=number("port", 0, 1, 65535),
            pod_name=printable(text("podName")),
            pod_uid=text("podUID"),
            node_name=printable(text("nodeName")),
            slot=printable(text("slot")),
            after_round=number("afterRound", 0, 0, 2**62),
            renew_time=text("renewTime"),
            holds_place=bool(spec.get("holdsPlace", False)),
            leaving=bool(spec.get("leaving", False)),
            preparing=bool(spec.get("preparing", False)),
            close_requested=bool(spec.get("closeRequested", False)),
            close_reason=one_line(text("closeReason")),
            being_deleted="deletionTimestamp" in meta,
            watch_port=number("watchPort", 0, 0, 65535),
            suspects=names("suspects"),
            reads_slices=bool(spec.get("readsSlices", False)),
        )
    except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        if isinstance(error, MalformedMemberError):
            raise
        raise MalformedMemberError(f"{where}: its metadata cannot be read ({error!r})") from error


def member_manifest(
    *,
    name: str,
    rendezvous: str,
    rendezvous_uid: str,
    address: str,
    port: int,
    renew_time: datetime,
    pod_name: str = "",
    pod_uid: str = "",
    node_name: str = "",
    slot: str = "",
    holds_place: bool = False,
    watch_port: int = 0,
    after_round: int = 0,
) -> dict[str, Any]:
    """The body with which a client joins: POST it to the members' collection.

    Args:
        name: with a random end, so that each incarnation has a name of its own.
        rendezvous_uid: "" if it is not known yet (`belonging`).
        renew_time: the first heartbeat.
        pod_uid: empty outside a pod; otherwise the Pod becomes the owner, and Kubernetes removes the Member
            with it.
        holds_place: it holds the lock of pod and slot, which no other process of the pod does at the same time.
        watch_port: UDP port on which it answers its neighbours; 0: it does not.
        after_round: only a later round can be one of its own.
    """
    metadata: dict[str, Any] = {"name": name}
    if pod_uid:
        metadata["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": pod_uid, "controller": False}
        ]
    spec: dict[str, Any] = {
        "rendezvous": rendezvous,
        **({"rendezvousUID": rendezvous_uid} if rendezvous_uid else {}),
        "address": address,
        "port": port,
        "afterRound": after_round,
        "renewTime": format_time(renew_time),
        "readsSlices": True,
    }
    place = {"podName": pod_name, "podUID": pod_uid, "nodeName": node_name, "slot": slot}
    spec.update({key: value for key, value in place.items() if value})
    if holds_place:
        spec["holdsPlace"] = True
    if watch_port:
        spec["watchPort"] = watch_port
    return {"apiVersion": API_VERSION, "kind": MEMBER_KIND, "metadata": metadata, "spec": spec}
