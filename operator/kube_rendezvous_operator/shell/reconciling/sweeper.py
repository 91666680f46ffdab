"""Deletes the Members on which nothing in a status rests, beside the rounds and never in their way.

Strangers, namesakes, Members of a rendezvous that is gone, and those without a rank that are lost: whoever makes many
of them, or writes to them without a pause, keeps this thread busy and nobody waiting. Namespaces take turns.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from kube_rendezvous.cluster import ApiFailureError, Backoff, Connection, KeptThread
from kube_rendezvous.cluster.failures import is_no_such_object
from kube_rendezvous.resources import (
    RENDEZVOUS_PLURAL,
    Member,
    Rendezvous,
    RendezvousSpec,
    parse_rendezvous,
)
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous.resources.names import object_path
from kube_rendezvous_core import Announcement, Expulsion, Severity
from kube_rendezvous_core.liveness.admission import NOT_ADMITTED
from kube_rendezvous_core.liveness.expulsions import RENDEZVOUS_GONE, TOO_MANY
from kube_rendezvous_core.liveness.liveness import NAME_TAKEN, OTHER_RENDEZVOUS
from kube_rendezvous_operator.shell.leading.leader_election import NotLeadingError
from kube_rendezvous_operator.shell.monitoring.log_reference import about_member, about_rendezvous
from kube_rendezvous_operator.shell.reconciling.member_deletion import ChangedMeanwhileError, delete_member
from kube_rendezvous_operator.shell.watching.member_cache import MOST_MEMBERS, MOST_MEMBERS_OF_A_POD, Key

_log = logging.getLogger(__name__)

_REFUSED = {
    OTHER_RENDEZVOUS: "they belong to another Rendezvous of this name (spec.rendezvousUID)",
    TOO_MANY: f"a rendezvous has at most {MOST_MEMBERS} members, and a pod {MOST_MEMBERS_OF_A_POD}",
    NAME_TAKEN: "they took the name of a member that has a rank",
    NOT_ADMITTED: "they may not join",
    RENDEZVOUS_GONE: "there is no Rendezvous of this name",
}
_SAID_EVERY_SECONDS = 60.0
_AT_A_TIME = 20
_KEPT_OF_A_RENDEZVOUS = 1000
_NAMES_SHOWN = 5
_NOT_LEADING_PAUSE = 0.2
_LOOK_AGAIN_SECONDS = 1.0
_LONGEST_TURN = 120.0


class Sweeper:
    """A thread with a bounded list of what is to be deleted. Thread-safe.

    Args:
        connection: to the API server.
        forget: told that Members are deleted.
        wake: asked to look at a rendezvous again when a Member has changed since it was judged.
        announce: posts an Event.
        permit: called before every write; raises if this process must not write (any more).
    """

    def __init__(
        self,
        connection: Connection,
        forget: Callable[[Key, Iterable[Member]], None],
        wake: Callable[[Key, float], None],
        announce: Callable[[Rendezvous, Announcement], None],
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._forget, self._wake, self._announce, self._permit = forget, wake, announce, permit
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, OrderedDict[Key, dict[str, Expulsion]]] = OrderedDict()
        self._said: OrderedDict[Key, float] = OrderedDict()
        self._closed = False
        self.thread = KeptThread("sweeper", self._run)
        """Deletes."""

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End after what is under way, ``timeout`` seconds at the most. What is left will be judged again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.thread.end()
        self.thread.join(timeout)

    def sweep(self, key: Key, expulsions: Iterable[Expulsion]) -> None:
        """Delete these Members of a rendezvous when their namespace has its turn."""
        expulsions = list(expulsions)
        if not expulsions:
            return
        with self._changed:
            waiting = self._waiting.setdefault(key[0], OrderedDict()).setdefault(key, {})
            for expulsion in expulsions[: _KEPT_OF_A_RENDEZVOUS - len(waiting)]:
                waiting[expulsion.member.uid] = expulsion
            self._changed.notify_all()

    def turn(self) -> bool:
        """Delete the next few; whether there were any.

        Raises:
            ApiFailureError: the API server did not do it; they are on the list again.
            NotLeadingError: this process must not; they are on the list again.
        """
        with self._changed:
            if not self._waiting:
                return False
            namespace, keys = next(iter(self._waiting.items()))
            key, waiting = next(iter(keys.items()))
            some = [waiting.pop(uid) for uid in list(waiting)[:_AT_A_TIME]]
            self._give_up_turn(namespace, key)
        try:
            self._sweep(key, some)
        except (ApiFailureError, NotLeadingError):
            self.sweep(key, some)
            raise
        return True

    def _give_up_turn(self, namespace: str, key: Key) -> None:
        """With the lock held: others of the namespace, and other namespaces, come first now."""
        keys = self._waiting[namespace]
        keys.move_to_end(key)
        if not keys[key]:
            del keys[key]
        self._waiting.move_to_end(namespace)
        if not keys:
            del self._waiting[namespace]

    def _run(self) -> None:
        backoff = Backoff(first=0.1, limit=5.0)
        while True:
            with self._changed:
                self.thread.turn()
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
            self.thread.turn(within=_LONGEST_TURN)
            try:
                self.turn()
                backoff.reset()
                continue
            except ApiFailureError as failure:
                pause = backoff.next_delay(failure.retry_after)
                _log.warning("Members that are lost could not be deleted; tried again in %.1f s: %s", pause, failure)
            except NotLeadingError:
                pause = _NOT_LEADING_PAUSE  # the lease may yet be renewed; if it is lost, the process ends
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)

    def _sweep(self, key: Key, expulsions: list[Expulsion]) -> None:
        rendezvous: Rendezvous | None = None
        if any(expulsion.reason in _READS_THE_RENDEZVOUS for expulsion in expulsions):
            # Read after the Members were seen: if theirs was the newer one, this is it.
            rendezvous = self._read(key)
            expulsions = [e for e in expulsions if e.reason not in _OF_ANOTHER or not _may_be_of(rendezvous, e)]
        self._report(key, rendezvous, [expulsion for expulsion in expulsions if self._delete(key, expulsion)])

    def _read(self, key: Key) -> Rendezvous | None:
        try:
            return parse_rendezvous(self._connection.request("GET", object_path(RENDEZVOUS_PLURAL, *key)))
        except ApiFailureError as failure:
            if not is_no_such_object(failure, key[1]):
                raise
            return None

    def _delete(self, key: Key, expulsion: Expulsion) -> bool:
        self._permit()
        try:
            delete_member(self._connection, expulsion)
        except ChangedMeanwhileError:
            self._wake(key, _LOOK_AGAIN_SECONDS)
            return False
        self._forget(key, [expulsion.member])
        return True

    def _report(self, key: Key, rendezvous: Rendezvous | None, deleted: list[Expulsion]) -> None:
        by_reason: dict[str, list[Expulsion]] = {}
        for expulsion in deleted:
            by_reason.setdefault(expulsion.reason, []).append(expulsion)
        for reason, some in by_reason.items():
            names = _listed(some)
            extra = about_member(key[0], some[0].member.name) if len(some) == 1 else about_rendezvous(key)
            _log.info("RendezvousMember %s/%s deleted: %s", key[0], names, reason, extra=extra)
        self._say_who_is_refused(key, rendezvous, by_reason)

    def _say_who_is_refused(
        self, key: Key, rendezvous: Rendezvous | None, by_reason: Mapping[str, list[Expulsion]]
    ) -> None:
        """In an Event on the Rendezvous, seldom: whoever looks why its members do not come finds it there."""
        now = time.monotonic()
        refused = [(reason, some) for reason, some in by_reason.items() if reason in _REFUSED]
        if not refused or now - self._said.get(key, -_SAID_EVERY_SECONDS) < _SAID_EVERY_SECONDS:
            return
        self._said.pop(key, None)
        self._said[key] = now
        if len(self._said) > _KEPT_OF_A_RENDEZVOUS:
            self._said.popitem(last=False)
        for reason, some in refused:
            text = f"RendezvousMembers were refused, because {_REFUSED[reason]}: {_listed(some)}"
            about = rendezvous or Rendezvous(*key, "", "0", 0, RendezvousSpec(1, 1))
            self._announce(about, Announcement(Severity.WARNING, reason, text))


_OF_ANOTHER = frozenset({OTHER_RENDEZVOUS, RENDEZVOUS_GONE})
_READS_THE_RENDEZVOUS = _OF_ANOTHER | {TOO_MANY}


def _may_be_of(rendezvous: Rendezvous | None, expulsion: Expulsion) -> bool:
    if rendezvous is None:
        return False
    came_meanwhile = expulsion.reason == RENDEZVOUS_GONE and not expulsion.member.rendezvous_uid
    return came_meanwhile or belongs_to(expulsion.member, rendezvous)


def _listed(expulsions: list[Expulsion]) -> str:
    more = f" and {len(expulsions) - _NAMES_SHOWN} more" if len(expulsions) > _NAMES_SHOWN else ""
    return ", ".join(_named(expulsion) for expulsion in expulsions[:_NAMES_SHOWN]) + more


def _named(expulsion: Expulsion) -> str:
    return f"{expulsion.member.name} ({expulsion.why})" if expulsion.why else expulsion.member.name
