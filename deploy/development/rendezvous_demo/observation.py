"""What the API server showed, with the moment at which it was seen."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import (
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    Member,
    Rendezvous,
    parse_member,
    parse_rendezvous,
)
from kube_rendezvous.resources.names import collection_path


@dataclass(frozen=True)
class RendezvousSeen:
    """A version of the Rendezvous; `at` is seconds on the monotonic clock."""

    at: float
    rendezvous: Rendezvous


@dataclass(frozen=True)
class MemberSeen:
    """A version of a Member; `at` is seconds on the monotonic clock."""

    at: float
    member: Member


@dataclass(frozen=True)
class Seen:
    """All versions that were seen, oldest first."""

    rendezvous: tuple[RendezvousSeen, ...] = ()
    members: tuple[MemberSeen, ...] = ()

    @property
    def newest(self) -> Rendezvous | None:
        """The Rendezvous as it is now."""
        return self.rendezvous[-1].rendezvous if self.rendezvous else None

    @property
    def rounds(self) -> dict[int, RendezvousSeen]:
        """The first version that showed each round, by its number."""
        first: dict[int, RendezvousSeen] = {}
        for seen in self.rendezvous:
            if seen.rendezvous.status.round:
                first.setdefault(seen.rendezvous.status.round, seen)
        return first

    def member_of(self, node: str) -> Member | None:
        """The newest incarnation of a node, whether or not its object still exists."""
        return next((seen.member for seen in reversed(self.members) if seen.member.pod_name == node), None)


class Observation:
    """Watches one Rendezvous and its Members, for use in a `with` statement.

    Args:
        connection: To the API server.
        namespace: Of the Rendezvous.
        name: Of it.
    """

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._lock = threading.Lock()
        self._seen = Seen()
        self._watchers = [
            Watcher(
                connection,
                collection_path(RENDEZVOUS_PLURAL, namespace),
                {"fieldSelector": f"metadata.name={name}"},
                _Listener(self._see_rendezvous),
                name="demo-watch-rendezvous",
            ),
            Watcher(
                connection,
                collection_path(MEMBER_PLURAL, namespace),
                {"fieldSelector": f"spec.rendezvous={name}"},
                _Listener(self._see_member),
                name="demo-watch-members",
            ),
        ]

    def __enter__(self) -> Self:
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watcher in self._watchers:
            watcher.stop()

    def seen(self) -> Seen:
        """Everything up to now."""
        with self._lock:
            return self._seen

    def _see_rendezvous(self, obj: Object) -> None:
        seen = RendezvousSeen(time.monotonic(), parse_rendezvous(obj))
        with self._lock:
            self._seen = Seen((*self._seen.rendezvous, seen), self._seen.members)

    def _see_member(self, obj: Object) -> None:
        seen = MemberSeen(time.monotonic(), parse_member(obj))
        with self._lock:
            self._seen = Seen(self._seen.rendezvous, (*self._seen.members, seen))


class _Listener:
    """Hands every version to one function. That an object is gone shows in the Rendezvous' status."""

    def __init__(self, see: Callable[[Object], None]) -> None:
        self._see = see

    def relisted(self, objects: list[Object]) -> None:
        for obj in objects:
            self._see(obj)

    def changed(self, obj: Object) -> None:
        self._see(obj)

    def removed(self, obj: Object) -> None:
        """The dead do not matter any more."""

    def troubled(self, failure: ApiFailureError) -> None:
        """The watch goes on from where it broke."""

    def connected(self) -> None:
        """Nothing was missed."""
