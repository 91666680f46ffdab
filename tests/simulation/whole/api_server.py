"""A Kubernetes API server as far as this project asks one: JSON objects, requests in, answers and watch events out.

Resource versions, preconditions, generations, pages, watches that begin where a client left off, and history that is
forgotten. Each request is carried out at one moment; how long it is under way, and what gets lost, is `wire`'s.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL, SLICE_PLURAL
from kube_rendezvous.resources.timestamps import format_time

Object = dict[str, Any]

KINDS = {
    RENDEZVOUS_PLURAL: "Rendezvous",
    MEMBER_PLURAL: "RendezvousMember",
    SLICE_PLURAL: "RendezvousSlice",
    "pods": "Pod",
    "nodes": "Node",
    "leases": "Lease",
}
_OURS = (RENDEZVOUS_PLURAL, MEMBER_PLURAL, SLICE_PLURAL)
NAMESPACE = "sim"


class RefusalError(Exception):
    """An answer that is not a success.

    Args:
        status: HTTP status.
        reason: CamelCase.
        message: a sentence.
    """

    def __init__(self, status: int, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.status, self.reason, self.message = status, reason, message

    @property
    def body(self) -> Object:
        """The Status object."""
        return {
            "kind": "Status",
            "status": "Failure",
            "reason": self.reason,
            "message": self.message,
            "code": self.status,
        }


@dataclass(slots=True, eq=False)
class Event:
    """A change, as watches tell it."""

    version: int
    seconds: float
    type: str
    object: Object


@dataclass(slots=True)
class _History:
    events: list[Event] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    begins_after: int = 0


@dataclass(frozen=True, slots=True)
class Backup:
    """What a storage held of our own resources, and up to which version."""

    version: int
    objects: dict[str, dict[str, Object]]


class ApiServer:
    """The objects, and what has become of them.

    Args:
        now: the time.
        seconds: the same, since the beginning.
        changed: told of each change: the collection, and the event.
    """

    def __init__(
        self, now: Callable[[], datetime], seconds: Callable[[], float], changed: Callable[[str, Event], None]
    ) -> None:
        self._now, self._seconds, self._changed = now, seconds, changed
        self.version = 0
        self.objects: dict[str, dict[str, Object]] = {plural: {} for plural in KINDS}
        self._history = {plural: _History() for plural in KINDS}
        self._pages: dict[str, tuple[int, list[Object]]] = {}
        self._restores = 0

    def back_up(self) -> Backup:
        """Take a backup."""
        return Backup(self.version, {plural: dict(self.objects[plural]) for plural in _OURS})

    def restore(self, backup: Backup) -> None:
        """Set the storage back: our resources are what they were, and versions go on from there.

        Pods, nodes and the Lease are at once what they are in truth: kubelets and who leads write them again.
        """
        self._restores += 1
        self.version = backup.version
        self._pages.clear()
        for history in self._history.values():
            del history.events[bisect_right(history.versions, backup.version) :]
            del history.versions[bisect_right(history.versions, backup.version) :]
            history.begins_after = min(history.begins_after, backup.version)
        for plural, objects in self.objects.items():
            if plural in _OURS:
                objects.clear()
                objects.update(backup.objects[plural])
            else:
                for name, obj in objects.items():
                    objects[name] = self._stamped(obj)

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        """Carry a request out.

        Raises:
            RefusalError: it is refused.
        """
        plural, name, part = parse_path(path)
        if plural == "events":
            return {**body, "kind": "Event"}
        if plural not in KINDS:
            raise RefusalError(404, "NotFound", f"the server could not find {path}")
        match method:
            case "GET" if not name:
                return self._list(plural, query)
            case "GET":
                return self._read(plural, name)
            case "POST":
                return self._create(plural, body)
            case "PUT":
                return self._replace(plural, name, body, part)
            case "PATCH":
                return self._patch(plural, name, body)
            case "DELETE":
                return self._delete(plural, name, body)
        raise RefusalError(405, "MethodNotAllowed")

    def put(self, plural: str, name: str, obj: Object) -> None:
        """The control plane itself creates or changes it."""
        type_ = "MODIFIED" if name in self.objects[plural] else "ADDED"
        self._store(plural, name, obj, type_)

    def drop(self, plural: str, name: str) -> None:
        """It is gone."""
        obj = self.objects[plural].pop(name)
        self._tell(plural, "DELETED", self._stamped(obj))

    # Watches

    def since(self, plural: str, version: int) -> list[Event] | None:
        """What has happened after that version; None: nobody knows any more."""
        history = self._history[plural]
        if version < history.begins_after:
            return None
        return history.events[bisect_right(history.versions, version) :]

    def forget_history(self, plural: str) -> None:
        """Of all that has happened until now."""
        self._history[plural].begins_after = self.version

    def heard_until(self, plural: str, version: int) -> float:
        """Seconds up to which somebody who was told this version knows everything."""
        history = self._history[plural]
        after = bisect_right(history.versions, version)
        return history.events[after].seconds if after < len(history.events) else self._seconds()

    def next_version(self) -> str:
        """Another one than all before."""
        self.version += 1
        return str(self.version)

    def _list(self, plural: str, query: Mapping[str, str]) -> Object:
        token = query.get("continue", "")
        if token:
            if token not in self._pages:
                raise RefusalError(410, "Expired", "the continue token is too old")
            version, left = self._pages.pop(token)
        else:
            wanted = selected(query.get("fieldSelector", ""))
            version, left = self.version, [obj for _, obj in sorted(self.objects[plural].items()) if wanted(obj)]
        limit = int(query.get("limit", "0")) or len(left)
        meta = {"resourceVersion": str(version)}
        if len(left) > limit:
            meta["continue"] = token = f"{plural}-{version}-{len(left) - limit}"
            self._pages[token] = (version, left[limit:])
        return {"kind": f"{KINDS[plural]}List", "metadata": meta, "items": left[:limit]}

    def _read(self, plural: str, name: str) -> Object:
        if name not in self.objects[plural]:
            raise RefusalError(404, "NotFound", f'{plural} "{name}" not found')
        return self.objects[plural][name]

    def _create(self, plural: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        if name in self.objects[plural]:
            raise RefusalError(409, "AlreadyExists", f'{plural} "{name}" already exists')
        meta = {
            **body["metadata"],
            "namespace": NAMESPACE,
            "uid": f"uid-{self.version + 1}{self._restores * '*'}",
            "creationTimestamp": format_time(self._now().replace(microsecond=0)),
            "generation": 1,
        }
        return self._store(plural, name, {**body, "kind": KINDS[plural], "metadata": meta}, "ADDED")

    def _replace(self, plural: str, name: str, body: Object, part: str) -> Object:
        known = self._read(plural, name)
        _check(known, {key: body["metadata"].get(key) for key in ("uid", "resourceVersion")})
        if plural == "leases":
            return self._change(plural, name, known, {**known, "spec": body["spec"]})
        assert part == "status", "only a status is ever replaced"
        return self._change(plural, name, known, {**known, "status": body["status"]})

    def _patch(self, plural: str, name: str, body: Object) -> Object:
        known = self._read(plural, name)
        new = merged(known, body)
        if plural == MEMBER_PLURAL:
            _check_member(known["spec"], new["spec"])
        return self._change(plural, name, known, new)

    def _change(self, plural: str, name: str, known: Object, new: Object) -> Object:
        if new == known:
            return known
        if new["spec"] != known["spec"]:
            new = {**new, "metadata": {**new["metadata"], "generation": known["metadata"]["generation"] + 1}}
        return self._store(plural, name, new, "MODIFIED")

    def _delete(self, plural: str, name: str, body: Any) -> Object:
        known = self._read(plural, name)
        _check(known, (body or {}).get("preconditions") or {})
        self.drop(plural, name)
        return {"kind": "Status", "status": "Success"}

    def _store(self, plural: str, name: str, obj: Object, type_: str) -> Object:
        stamped = self._stamped(obj)
        self.objects[plural][name] = stamped
        self._tell(plural, type_, stamped)
        return stamped

    def _stamped(self, obj: Object) -> Object:
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": self.next_version()}}

    def _tell(self, plural: str, type_: str, obj: Object) -> None:
        event, history = Event(self.version, self._seconds(), type_, obj), self._history[plural]
        history.events.append(event)
        history.versions.append(self.version)
        self._changed(plural, event)


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[str, str, str]:
    """Collection, name and subresource; "" where there is none."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts and parts[0] == "namespaces":
        parts = parts[2:]
    plural, name, part, *_ = [*parts, "", "", ""]
    return plural, name, part


def selected(selector: str) -> Callable[[Object], bool]:
    """Whether an object is one of those that a field selector means."""
    field_path, _, value = selector.partition("=")
    if not field_path:
        return lambda _: True
    part, _, key = field_path.partition(".")
    return lambda obj: bool((obj.get(part) or {}).get(key) == value)


def merged(old: Object, patch: Object) -> Object:
    """As RFC 7386 says."""
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            new[key] = merged(new.get(key) or {}, value)
        else:
            new[key] = value
    return new


def _check(known: Object, wished: Mapping[str, Any]) -> None:
    for key, value in wished.items():
        if value and value != known["metadata"][key]:
            raise RefusalError(409, "Conflict", f"the object has been modified: {key} is not {value}")


def _check_member(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """What the definition of a RendezvousMember asks of a change."""
    uid = now.get("rendezvousUID")
    if uid == "" or uid != was.get("rendezvousUID", uid):
        raise RefusalError(422, "Invalid", "spec.rendezvousUID cannot be empty, and cannot be changed")
    if now["afterRound"] < was["afterRound"]:
        raise RefusalError(422, "Invalid", "spec.afterRound cannot shrink")


def bookmark(plural: str, version: int, *, ends_initial_events: bool = False) -> bytes:
    """The line of a bookmark."""
    meta: Object = {"resourceVersion": str(version)}
    if ends_initial_events:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    obj = {"kind": KINDS[plural], "metadata": meta}
    return json.dumps({"type": "BOOKMARK", "object": obj}).encode() + b"\n"


def expired() -> bytes:
    """The line that says that a watch has been away for too long."""
    return json.dumps({"type": "ERROR", "object": RefusalError(410, "Expired").body}).encode() + b"\n"


def events_of(watched: Callable[[Object], bool], events: list[Event]) -> Iterator[Event]:
    """Those of them that a watch is told."""
    return (event for event in events if watched(event.object))
