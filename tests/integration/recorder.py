"""Watches what happens to the Rendezvous of a namespace, judges it, and lets a test wait for what it wants to see.

    with Recorder(connection, namespace) as recorder:
        recorder.wait_for("my-run", "round 1", lambda it: it.status.round == 1, seconds=30)

At its end the `with` block raises an error if an invariant was broken.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from integration.invariants import Invariants
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import (
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    SLICE_PLURAL,
    MalformedMemberError,
    Member,
    Rendezvous,
    parse_member,
)
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.rendezvous_slice import (
    RendezvousSlice,
    assembled,
    missing_slices,
    parse_slice,
    slice_name,
)

CAUGHT_UP_SECONDS = 10.0


class Recorder:
    """Watches all Rendezvous and Members of a namespace and judges them, for use in a ``with`` statement.

    Args:
        connection: To the API server.
        namespace: What to watch.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._changed = threading.Condition()
        self._invariants = Invariants()
        self._connection = connection
        self._slices: dict[str, RendezvousSlice] = {}
        self._versions: dict[str, list[Rendezvous]] = {}
        self._members: dict[str, Member] = {}
        self._watchers = [
            Watcher(connection, collection_path(plural, namespace), {}, listener, name=f"recorder-{plural}")
            for plural, listener in (
                (RENDEZVOUS_PLURAL, _RendezvousListener(self)),
                (MEMBER_PLURAL, _MemberListener(self)),
            )
        ]

    def __enter__(self) -> Self:
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        violations = self.violations()
        for watcher in self._watchers:
            watcher.stop()
        if violations and kind is not None:
            assert error is not None
            error.add_note("Broken invariants:\n" + "\n".join(violations))
        elif violations:
            raise AssertionError("\n".join(violations))

    def violations(self) -> list[str]:
        """A sentence for each invariant that was broken so far.

        Members are watched beside the Rendezvous: what a round rests on may be told a moment after the round. That
        mends no round that came too early, since an invariant goes by the versions.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._invariants.violations(), CAUGHT_UP_SECONDS)
            return self._invariants.violations()

    def forget(self, name: str) -> None:
        """Drop the versions seen of the Rendezvous of this name but the newest, for runs that are long, and what judges
        older rounds."""
        with self._changed:
            del self._versions.get(name, [])[:-1]
            self._invariants.forget_older_rounds()

    def versions(self, name: str) -> list[Rendezvous]:
        """Every version seen of the Rendezvous of this name, oldest first."""
        with self._changed:
            return list(self._versions.get(name, ()))

    def newest(self, name: str) -> Rendezvous:
        """The newest version seen."""
        with self._changed:
            return self._versions[name][-1]

    def members(self) -> dict[str, Member]:
        """The Members that exist, by name."""
        with self._changed:
            return dict(self._members)

    def wait_for(self, name: str, what: str, holds: Callable[[Rendezvous], bool], seconds: float) -> Rendezvous:
        """Waits for a version of the Rendezvous, from the newest one on, and returns it: it may not be the newest now.

        Args:
            name: Of the Rendezvous.
            what: What is waited for, for the error.
            holds: Whether a version is it.
            seconds: How long to wait at most.

        Raises:
            AssertionError: It did not come; with the newest version.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            looked_at = max(0, len(self._versions.get(name, ())) - 1)
            while True:
                versions = self._versions.get(name, [])
                for version in versions[looked_at:]:
                    if holds(version):
                        return version
                looked_at = len(versions)
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    last = versions[-1] if versions else "no such object"
                    raise AssertionError(f"Rendezvous {name}: no {what} within {seconds:.0f} s; at the end: {last}")

    def wait_for_members(self, what: str, hold: Callable[[Mapping[str, Member]], bool], seconds: float) -> None:
        """Waits until the Members (by name) are as they shall be.

        Raises:
            AssertionError: They did not get so.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: hold(self._members), seconds):
                raise AssertionError(f"no {what} within {seconds:.0f} s; at the end: {list(self._members.values())}")

    def _see(self, objects: list[Object], *, missed: bool = False) -> None:
        with self._changed:
            for obj in objects:
                seen = self._invariants.see(obj, missed=missed, names=self._with_names)
                self._versions.setdefault(seen.name, []).append(seen)
            self._changed.notify_all()

    def _with_names(self, rendezvous: Rendezvous) -> Rendezvous:
        """With what its slices say, as far as they are still there: this version may be long over."""
        status, namespace = rendezvous.status, rendezvous.namespace
        if not status.is_unread:
            return rendezvous
        for digest in missing_slices(status, self._slices.values()):
            path = object_path(SLICE_PLURAL, namespace, slice_name(rendezvous.name, digest))
            with contextlib.suppress(ApiFailureError):
                self._slices[digest] = parse_slice(self._connection.request("GET", path))
        return replace(rendezvous, status=assembled(status, self._slices.values()))

    def _see_members(self, objects: list[Object], *, all_there_are: bool = False, gone: bool = False) -> None:
        with self._changed:
            if all_there_are:
                self._members.clear()
                versions = [int(obj["metadata"]["resourceVersion"]) for obj in objects]
                self._invariants.missed_members(max(versions, default=0))
            for obj in objects:
                try:
                    member = parse_member(obj)
                except MalformedMemberError:  # some tests write such on purpose
                    continue
                self._invariants.see_member(member)
                self._members[member.name] = member
                if gone:
                    del self._members[member.name]
            self._changed.notify_all()


class _RendezvousListener:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def relisted(self, objects: list[Object]) -> None:
        self._recorder._see(objects, missed=True)

    def changed(self, obj: Object) -> None:
        self._recorder._see([obj])

    def removed(self, obj: Object) -> None:
        """Its last version has been seen; one of that name that comes later has another UID."""

    def troubled(self, failure: ApiFailureError) -> None:
        """The watch goes on from where it broke."""

    def connected(self) -> None:
        """Nothing was missed."""


class _MemberListener(_RendezvousListener):
    def relisted(self, objects: list[Object]) -> None:
        self._recorder._see_members(objects, all_there_are=True)

    def changed(self, obj: Object) -> None:
        self._recorder._see_members([obj])

    def removed(self, obj: Object) -> None:
        self._recorder._see_members([obj], gone=True)
