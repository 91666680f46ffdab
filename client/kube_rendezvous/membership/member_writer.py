"""Writes the Members of one node, each under its name, and with the next write what an earlier one left unsaid."""

import logging
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.cluster.set_back import StorageSeen
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.membership.member_requests import patch_member, post_once
from kube_rendezvous.membership.own_members import OwnMembers
from kube_rendezvous.membership.persistence import persist
from kube_rendezvous.membership.trouble_report import TroubleReport
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous.signal_proof import new_lock

_Answer = TypeVar("_Answer")

_log = logging.getLogger(__name__)

_TAKE_BACK_SECONDS = 2.0

UNTIL_CARRIED_OUT = (0.0, 0.2, 0.5)
"""Pauses, in seconds, before it is tried to take back what may be made only now: a POST was sent, its answer is not
awaited any more, and it may be carried out after whatever is sent next."""


class MemberWriter:
    """Thread-safe.

    Args:
        connection: to the API server.
        namespace: of the Rendezvous.
        what: the Rendezvous, for messages.
        pause: waits so many seconds; true: give up.
        passes: whether a refusal is one that does not last.
        again: called before each further attempt of a write.
        seen: of the storage, before and after each write.
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
        seen: StorageSeen,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._what = what
        self._pause = pause
        self._passes = passes
        self._again = again
        self._seen = seen
        self._lock = new_lock()
        self._unsaid: tuple[str, dict[str, Any]] = ("", {})  # what the Member of this name is still to say
        self._made = OwnMembers()

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
        name = manifest["metadata"]["name"]
        perhaps_there, look_at = self._made.may_be_made(name), self._seen.before()
        try:
            answer = post_once(self._connection, collection_path(MEMBER_PLURAL, self._namespace), manifest, seconds)
        except ApiRefusedError:
            if not perhaps_there:
                self._made.is_forgotten(name)
            raise
        self._made.was_made(name)
        if answer is not None:
            look_at(answer)
        return answer

    def patch(
        self, name: str, spec: dict[str, Any], seconds: float, look_at: Callable[[Object], None] = lambda _: None
    ) -> bool:
        """Write these fields of a Member, and what it left unsaid. See `member_requests.patch_member`."""
        seen = self._seen.before()

        def look(written: Object) -> None:
            seen(written)
            look_at(written)

        with self._lock:
            unsaid = self._unsaid
        saying = unsaid[1] if unsaid[0] == name else {}
        said = {**spec, **saying}
        there = patch_member(self._connection, self._namespace, name, said, seconds, look)
        with self._lock:
            if saying and self._unsaid is unsaid:
                self._unsaid = (name, {})
        if not there:
            self._made.is_not_found(name)
        elif spec.get("leaving"):
            self._made.is_forgotten(name)
        return there

    def leave_only(self, kept: Collection[str]) -> None:
        """Take back each Member that we have made, or may have, and that has not left, but these."""
        for name, certain in self._made.besides(kept):
            try:
                for pause in (0.0,) if certain else UNTIL_CARRIED_OUT:
                    time.sleep(pause)
                    if self.patch(name, {"leaving": True}, _TAKE_BACK_SECONDS):
                        break
            except ApiFailureError as failure:  # it is deleted when it stays silent
                _log.debug("%s: could not take %s back: %s", self._what, name, failure)
            self._made.is_forgotten(name)

    def is_replaced(self, name: str) -> None:
        """The Member of this name needs no goodbye: it is gone, or the operator knows of the one that follows it."""
        self._made.is_forgotten(name)

    def owes(self, name: str) -> bool:
        """Whether this Member has something to say with its next write."""
        with self._lock:
            return bool(name and self._unsaid[0] == name and self._unsaid[1])

    def say_next(self, name: str, spec: dict[str, Any]) -> None:
        """With its next write the Member says this, too."""
        with self._lock:
            self._unsaid = (name, spec)
