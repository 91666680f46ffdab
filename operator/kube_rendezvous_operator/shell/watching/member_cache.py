"""The operator's own informer for Members: what there is, and for how long each has been silent.

kopf's indices never hear of objects that vanished while their watch was cut; ranks must never rest on one. This cache
compares on every relist, and the operator's own clock counts silence only while the watch delivers.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection, KeptThread
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import LARGEST_WORLD, MEMBER_PLURAL, MalformedMemberError, Member, parse_member
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous_core import Expulsion, ObservedMember, forget_names
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements, Unmeasured
from kube_rendezvous_operator.shell.watching.rendezvous_list import CRDS_AND_RIGHTS
from kube_rendezvous_operator.shell.watching.slim_objects import slim_custom_resource

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a Rendezvous."""

MOST_MEMBERS = LARGEST_WORLD * 11 // 10
"""Of one Rendezvous: with spares, and with those who come before the ones that they replace are gone."""

MOST_MEMBERS_OF_A_POD = 64
"""One for each handler in it, and their ghosts."""

NAMES_OF_THE_GONE = 1000
"""Or three times as many as live, if that is more: so many may go before what was read in their names is forgotten."""

_LASTING = attrgetter(*(field.name for field in fields(Member) if field.name not in ("renew_time", "resource_version")))
"""What a heartbeat alone does not change."""


@dataclass(slots=True)
class _Entry:
    """What is known of one Member.

    Args:
        added: when the object was first seen, on the monotonic clock: a list that was asked for earlier, and is missing
            it, says nothing about it.
        heard: when its last heartbeat was received.
        first_renewed: the heartbeat time with which it was first seen.
        proven: when, in this silence, a consistent read proved that the API server serves; None: not yet.
        deleted: it is over with the Member; the object itself may be kept by somebody's finalizer.
        gone: the object does not exist any more.
        expelled_for, expelled_why: we deleted the object for this, and no status says so yet.
        buried: we deleted the object, and events of its last days may still come: they must not raise it.
    """

    member: Member
    added: float
    heard: float
    first_renewed: str = ""
    proven: float | None = None
    deleted: bool = False
    gone: bool = False
    expelled_for: str = ""
    expelled_why: str = ""
    buried: bool = False

    def hear(self, now: float | None = None) -> None:
        self.heard = time.monotonic() if now is None else now
        self.proven = None


class _Opening(NamedTuple):
    """An opening: version of the list on which it was decided, and when that was noted, on the monotonic clock."""

    version: int
    noted: float


class MemberCache:
    """All Members of one namespace, or (namespace None) of the cluster. Thread-safe.

    Args:
        connection: to the API server.
        namespace: what to watch.
        wake: called with the key of a Rendezvous whose members changed in more than their heartbeat.
        measure: told of restarted watches.
        too_many: told of each Member that is one too many: it is not looked at, and should be deleted.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str | None,
        wake: Callable[[Key], None],
        measure: Measurements | None = None,
        too_many: Callable[[Key, Member], None] = lambda _, __: None,
    ) -> None:
        self._wake = wake
        self._too_many = too_many
        self._of_pod: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._by_key: dict[Key, dict[str, _Entry]] = {}
        self._key_of: dict[tuple[str, str], Key] = {}
        self._displaced: list[Key] = []
        self._opened: dict[Key, _Opening] = {}
        """As long as the watch may not have passed them."""
        self._malformed: set[str] = set()
        self._dropped = 0  # since names were forgotten
        self._cut_since: float | None = None
        self._said_trouble = False
        self.refused = False
        """Whether the API server will not show us Members: not served, or no right."""
        self.synced = threading.Event()
        self._watcher = Watcher(
            connection,
            collection_path(MEMBER_PLURAL, namespace),
            {},
            self,
            name=f"members-{namespace or 'all'}",
            on_restart=partial((measure or Unmeasured()).watch_restarted, MEMBER_PLURAL),
            paged=True,
            slim=slim_custom_resource,
        )

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    @property
    def thread(self) -> KeptThread:
        """That watches."""
        return self._watcher.thread

    def stop(self, timeout: float = 2.0) -> None:
        """End the watch; wait for its thread so many seconds at the most. May be called again."""
        self._watcher.stop(timeout)

    def __len__(self) -> int:
        """How many Members live."""
        return sum(self.counts().values())

    def counts(self) -> dict[Key, int]:
        """How many Members live, by Rendezvous."""
        with self._lock:
            return {
                key: sum(not entry.deleted and not entry.buried for entry in entries.values())
                for key, entries in self._by_key.items()
            }

    def observed(self, key: Key) -> list[ObservedMember]:
        """All Members that name this Rendezvous, with their silence in seconds."""
        with self._lock:
            now = self._cut_since if self._cut_since is not None else time.monotonic()
            return [
                ObservedMember(
                    entry.member,
                    max(0.0, now - entry.heard),
                    entry.deleted,
                    0.0 if entry.proven is None else max(0.001, now - entry.proven),
                    entry.first_renewed,
                    max(0.0, now - entry.added),
                    entry.expelled_for,
                    entry.expelled_why,
                )
                for entry in self._by_key.get(key, {}).values()
                if not entry.buried
            ]

    def everybody(self) -> dict[Key, list[Member]]:
        """All Members there are, by Rendezvous."""
        with self._lock:
            return {
                key: [entry.member for entry in entries.values() if not entry.deleted and not entry.buried]
                for key, entries in self._by_key.items()
            }

    def refresh(self, key: Key, objects: Iterable[Object], asked: float = math.inf, version: int = 0) -> None:
        """Take a consistent list of the Members of one Rendezvous: what the cache does not know yet or any more.

        Args:
            key: of the Rendezvous.
            objects: the list.
            asked: when it was asked for, on the monotonic clock: what came later may be missing from it.
            version: of the list: what is missing from it and not younger is gone, however late the watch told of it.
        """
        with self._lock:
            there = {member.name for member in map(self._take, objects) if member is not None}
            for name, entry in self._by_key.get(key, {}).items():
                early = entry.added <= asked or int(entry.member.resource_version) <= version
                if name not in there and early:
                    entry.deleted = entry.gone = True
            displaced, self._displaced = self._displaced, []
        for other in displaced:
            self._wake(other)

    def prove(self, key: Key, names: Iterable[str], since: float) -> None:
        """The API server served a consistent read: from ``since`` on the silence of these Members is their own."""
        with self._lock:
            entries = self._by_key.get(key, {})
            for name in names:
                entry = entries.get(name)
                if entry is not None and entry.proven is None and entry.heard < since:
                    entry.proven = since

    def doubt(self, key: Key) -> None:
        """The API server does not tell of these Members: whatever silence of theirs was counted may have been its own.

        Of theirs only: a list that somebody has made long must not give others' dead another life.
        """
        with self._lock:
            now = time.monotonic()
            for entry in self._by_key.get(key, {}).values():
                entry.hear(now)

    def count_anew(self, key: Key) -> None:
        """A shorter heartbeat interval was published: until now nobody could keep to it."""
        with self._lock:
            for entry in self._by_key.get(key, {}).values():
                entry.hear()

    def expelled(self, key: Key, expulsion: Expulsion) -> None:
        """We have deleted this Member, and the status that says why is still to be written: should that fail, whoever
        decides anew must not take it for one that somebody else has deleted."""
        with self._lock:
            entry = self._by_key.get(key, {}).get(expulsion.member.name)
            if entry is not None and entry.member.uid == expulsion.member.uid:
                entry.deleted = True
                entry.expelled_for, entry.expelled_why = expulsion.reason, expulsion.why

    def forget(self, key: Key, members: Iterable[Member]) -> None:
        """The farewell of these Members has been recorded, or we have deleted them ourselves: see them no more.

        Another one that has taken the name of one of them meanwhile stays.
        """
        with self._lock:
            for member in members:
                entry = self._by_key.get(key, {}).get(member.name)
                if entry is not None and entry.member.uid == member.uid:
                    self._bury(key, member.name)

    def opened(self, key: Key, there: Collection[str], version: int) -> None:
        """The rendezvous opens again: whoever was gone before has no say in it any more.

        The watch may lag behind the list on which that was decided, and tell only now of those that this did not hold:
        they must not rise with what they asked for then.

        Args:
            key: of the Rendezvous.
            there: UIDs of those that the list held.
            version: of the list: who came later is younger than the opening.
        """
        with self._lock:
            for name, entry in list(self._by_key.get(key, {}).items()):
                if entry.member.uid not in there and int(entry.member.resource_version) <= version:
                    self._bury(key, name)
            told = int(self._watcher.version or 0)  # what the watch has passed it does not tell again
            self._opened = {other: opening for other, opening in self._opened.items() if opening.version >= told}
            self._opened[key] = _Opening(version, time.monotonic())

    def versions(self, key: Key) -> dict[str, str]:
        """Of each Member of this Rendezvous, by UID, the version that we know."""
        with self._lock:
            entries = self._by_key.get(key, {}).values()
            return {entry.member.uid: entry.member.resource_version for entry in entries}

    @property
    def told_version(self) -> str | None:
        """Up to which the watch has told everything; None: nothing, or not any more."""
        return self._watcher.version

    # WatchListener

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        with self._lock:
            there = set()
            # This list shows what there was later than those, and the watch goes on from it; so it is of a storage that
            # was restored from a backup, whose versions begin lower.
            began = self._watcher.list_began
            self._opened = {key: opening for key, opening in self._opened.items() if opening.noted > began}
            self._malformed &= {obj["metadata"]["uid"] for obj in objects}
            for obj in objects:
                there.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))
                self._take(obj)
            for place, key in list(self._key_of.items()):
                if place not in there and self._by_key[key][place[1]].added <= began:
                    self._mark_deleted(key, place[1])
            self._displaced.clear()
            keys = list(self._by_key)
        self.synced.set()
        for key in keys:
            self._wake(key)

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        with self._lock:
            before = self._entry_of(obj)
            old = before.member if before is not None else None
            member = self._take(obj)
            displaced, self._displaced = self._displaced, []
        for key in displaced:
            self._wake(key)
        if member is not None and (old is None or _more_than_heartbeat(old, member)):
            self._wake((member.namespace, member.rendezvous))

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        with self._lock:
            if self._entry_of(obj) is None:
                self._malformed.discard(obj["metadata"]["uid"])
                return
            member = self._take(obj)  # its last version may be the first to hold its farewell
            if member is None:
                return
            key = (member.namespace, member.rendezvous)
            self._mark_deleted(key, member.name)
        self._wake(key)

    def troubled(self, failure: ApiFailureError) -> None:
        """See `WatchListener`."""
        refused = isinstance(failure, ApiRefusedError)
        news, self.refused = refused and not self.refused, refused
        with self._lock:
            if self._cut_since is None:
                self._cut_since = time.monotonic()
        if news or not self._said_trouble:
            self._said_trouble = True
            _log.warning(
                "The watch of Members is cut; nobody is taken for lost until it is back: %s%s",
                failure,
                CRDS_AND_RIGHTS if refused else "",
            )

    def connected(self) -> None:
        """See `WatchListener`."""
        self.refused = False
        with self._lock:
            if self._cut_since is None:
                return
            self._hear_everybody()
            self._cut_since = None
        self._said_trouble = False
        _log.info("The watch of Members is back")

    # All below: with the lock held.

    def _take(self, obj: Object) -> Member | None:
        """Store the object if it is newer than what is known; None if it cannot be read or is none of ours."""
        try:
            member = parse_member(obj)
        except MalformedMemberError as error:
            uid = str(obj.get("metadata", {}).get("uid"))
            if uid not in self._malformed:
                self._malformed.add(uid)
                _log.warning("Ignored: %s", error)
            return None
        key = (member.namespace, member.rendezvous)
        entries = self._by_key.get(key, {})
        known = entries.get(member.name)
        if known is None or known.member.uid != member.uid:
            if self._is_one_too_many(member, entries, known):
                if not member.being_deleted:
                    self._too_many(key, member)
                return None
            if key in self._opened and int(member.resource_version) <= self._opened[key].version:
                return None  # that list would have held it: it was gone then
            if known is not None:
                self._count_pod(known.member, -1)
            self._count_pod(member, 1)
            self._bury_the_earlier_one(member, key)
            now = time.monotonic()
            self._by_key.setdefault(key, entries)[member.name] = _Entry(
                member, added=now, heard=now, first_renewed=member.renew_time, deleted=member.being_deleted
            )
            self._key_of[(member.namespace, member.name)] = key
        elif int(member.resource_version) > int(known.member.resource_version):
            if member.renew_time != known.member.renew_time:
                known.hear()
            known.member = member
            known.deleted = known.deleted or member.being_deleted
        return member

    def _is_one_too_many(self, member: Member, entries: dict[str, _Entry], known: _Entry | None) -> bool:
        pod = (member.namespace, member.pod_uid)
        many = len(entries) >= MOST_MEMBERS and known is None
        return many or bool(member.pod_uid and self._of_pod[pod] >= MOST_MEMBERS_OF_A_POD)

    def _count_pod(self, member: Member, change: int) -> None:
        pod = (member.namespace, member.pod_uid)
        if member.pod_uid:
            self._of_pod[pod] += change
            if self._of_pod[pod] <= 0:
                del self._of_pod[pod]

    def _bury_the_earlier_one(self, member: Member, key: Key) -> None:
        """A name is free only when its holder is gone: one that held it in another Rendezvous is."""
        earlier = self._key_of.get((member.namespace, member.name), key)
        if earlier != key:
            self._mark_deleted(earlier, member.name)
            self._displaced.append(earlier)

    def _entry_of(self, obj: Object) -> _Entry | None:
        meta = obj["metadata"]
        key = self._key_of.get((meta["namespace"], meta["name"]))
        entry = self._by_key[key].get(meta["name"]) if key is not None else None
        return entry if entry is not None and entry.member.uid == meta["uid"] else None

    def _mark_deleted(self, key: Key, name: str) -> None:
        entry = self._by_key[key][name]
        entry.deleted = entry.gone = True
        if entry.buried:
            self._drop(key, name)

    def _bury(self, key: Key, name: str) -> None:
        entry = self._by_key[key][name]
        entry.buried = True
        if entry.gone:
            self._drop(key, name)

    def _drop(self, key: Key, name: str) -> None:
        entries = self._by_key[key]
        self._count_pod(entries.pop(name).member, -1)
        if self._key_of.get((key[0], name)) == key:
            del self._key_of[(key[0], name)]
        if not entries:
            del self._by_key[key]
        self._dropped += 1
        if self._dropped > max(NAMES_OF_THE_GONE, 3 * len(self._key_of)):
            forget_names()
            self._dropped = 0

    def _hear_everybody(self) -> None:
        now = time.monotonic()
        for entries in self._by_key.values():
            for entry in entries.values():
                entry.hear(now)


def _more_than_heartbeat(before: Member, after: Member) -> bool:
    return _LASTING(before) != _LASTING(after)
