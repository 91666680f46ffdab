"""Writes the Members of one node, each under its name, and with the next write what an earlier one left unsaid."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.membership.member_requests import patch_member, post_once
from kube_rendezvous.membership.persistence import persist
from kube_rendezvous.membership.trouble_report import TroubleReport
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import collection_path

_Answer = TypeVar("_Answer")


class MemberWriter:
    """Thread-safe.

    Args:
        connection: to the API server.
        namespace: of the Rendezvous.
        what: the Rendezvous, for messages.
        pause: waits so many seconds; true: give up.
        passes: whether a refusal is one that does not last.
        again: called before each further attempt of a write.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        what: str,
        *,
        pause: Callable[[float], bool],
        passes: Callable[[ApiFailureError], bool],
        again: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._what = what
        self._pause = pause
        self._passes = passes
        self._again = again
        self._lock = threading.Lock()
        self._unsaid: tuple[str, dict[str, Any]] = ("", {})  # what the Member of this name is still to say

    def persist(self, attempt: Callable[[float], _Answer], deadline: float) -> _Answer:
        """See `persistence.persist`."""
        return persist(
            attempt,
            deadline,
            TroubleReport(self._what),
            pause=self._pause,
            in_the_way=self.explain,
            passes=self._passes,
            again=self._again,
        )

    def explain(self, failure: ApiFailureError) -> str:
        """What is in the way, as a sentence."""
        return explain_failure(failure, self._namespace)

    def post(self, manifest: dict[str, Any], seconds: float) -> Object | None:
        """Make a Member. See `member_requests.post_once`."""
        return post_once(self._connection, collection_path(MEMBER_PLURAL, self._namespace), manifest, seconds)

    def patch(self, name: str, spec: dict[str, Any], seconds: float) -> bool:
        """Write these fields of a Member, and what it left unsaid. See `member_requests.patch_member`."""
        with self._lock:
            unsaid = self._unsaid
        saying = unsaid[1] if unsaid[0] == name else {}
        there = patch_member(self._connection, self._namespace, name, {**spec, **saying}, seconds)
        with self._lock:
            if saying and self._unsaid is unsaid:
                self._unsaid = (name, {})
        return there

    def owes(self, name: str) -> bool:
        """Whether this Member has something to say with its next write."""
        with self._lock:
            return bool(name and self._unsaid[0] == name and self._unsaid[1])

    def say_next(self, name: str, spec: dict[str, Any]) -> None:
        """With its next write the Member says this, too."""
        with self._lock:
            self._unsaid = (name, spec)
