"""One reconcile: snapshot, decide, confirm what is doubtful, one fenced status write, delete Members, announce.

Every write is fenced: a status write by the resourceVersion of the Rendezvous it was decided on, a delete by the
Member's UID and resourceVersion. So a stale snapshot, a second operator or a crash in between can delay but never
corrupt: whoever decided on something old is refused and looks again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.connection import ANSWER_SECONDS
from kube_rendezvous.cluster.failures import is_no_such_object
from kube_rendezvous.cluster.set_back import is_older
from kube_rendezvous.cluster.slice_list import with_names
from kube_rendezvous.cluster.watch_protocol import Object, WatchProtocol
from kube_rendezvous.resources import (
    API_VERSION,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    Member,
    Rendezvous,
    RendezvousStatus,
    status_to_json,
)
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous_core import (
    Announcement,
    Decision,
    EvictionAnswer,
    Expulsion,
    ObservedMember,
    OwnerRef,
    Surroundings,
    decide,
    only_progress,
    progress_every,
)
from kube_rendezvous_core.liveness.expulsions import without_rendezvous
from kube_rendezvous_core.slicing import SliceSizes
from kube_rendezvous_operator.shell.monitoring.log_reference import about_member, about_rendezvous
from kube_rendezvous_operator.shell.monitoring.measurements import Unmeasured
from kube_rendezvous_operator.shell.reconciling.heartbeat_budgets import HeartbeatBudgets
from kube_rendezvous_operator.shell.reconciling.member_deletion import ChangedMeanwhileError, delete_member
from kube_rendezvous_operator.shell.reconciling.round_measurement import RoundMeasurement
from kube_rendezvous_operator.shell.reconciling.slice_writing import SliceWriting
from kube_rendezvous_operator.shell.reconciling.steady_clock import SteadyClock
from kube_rendezvous_operator.shell.watching.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.watching.rendezvous_cache import KnownRendezvous, RendezvousCache
from kube_rendezvous_operator.shell.watching.slim_objects import slim_custom_resource

_log = logging.getLogger(__name__)


class ConsistentList(NamedTuple):
    """Version of a list, and the UIDs of the Members that it held."""

    version: int = 0
    uids: frozenset[str] = frozenset()


class Verdict(NamedTuple):
    """A decision, and whom it was decided on; ``listed``: the list that confirmed it, of version 0: none did."""

    decision: Decision
    observed: Sequence[ObservedMember]
    listed: ConsistentList = ConsistentList()

    @property
    def gone(self) -> tuple[Member, ...]:
        """The farewells that it has seen: only these are recorded by carrying it out."""
        return tuple(seen.member for seen in self.observed if seen.deleted)


class OvertakenError(Exception):
    """Somebody changed what a write was decided on: look again at once."""


class Reconciler:
    """Reconciles one Rendezvous at a time; different ones may be reconciled by different threads.

    Args:
        connection: to the API server.
        rendezvous: the newest versions.
        members: finds the cache that covers a namespace.
        surroundings: what is known of the pods and nodes of a Rendezvous.
        announce: posts an Event.
        sweep: deletes Members when there is time.
        permit: called before every write; raises if this process must not write (any more).
        rounds: told what became of rounds.
        budgets: of heartbeats.
        now: the time, UTC; none: a clock of its own that does not jump.
        read_owners: reads what made pods, so that the surroundings have it.
        answer_evictions: gives these answers; returns the seconds until it must be tried again.
        slice_sizes: which rounds have slices, and of what size.
        slice_is_gone: see `SliceWriting`.
        on_set_back: called when the storage was restored from a backup: nothing that is known holds any more.
    """

    def __init__(
        self,
        connection: Connection,
        rendezvous: RendezvousCache,
        members: Callable[[str], MemberCache],
        surroundings: Callable[[Key], Surroundings],
        announce: Callable[[Rendezvous, Announcement], None],
        sweep: Callable[[Key, Iterable[Expulsion]], None],
        permit: Callable[[], None] = lambda: None,
        rounds: RoundMeasurement | None = None,
        budgets: HeartbeatBudgets | None = None,
        now: Callable[[], datetime] | None = None,
        read_owners: Callable[[Key, Sequence[OwnerRef]], None] = lambda *_: None,
        answer_evictions: Callable[[Key, Iterable[EvictionAnswer]], float | None] = lambda *_: None,
        slice_sizes: SliceSizes | None = None,
        slice_is_gone: Callable[[str, str], bool] = lambda *_: False,
        on_set_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._rendezvous = rendezvous
        self._members = members
        self._surroundings = surroundings
        self._announce = announce
        self._sweep = sweep
        self._permit = permit
        self._read_owners = read_owners
        self._answer_evictions = answer_evictions
        self._on_set_back = on_set_back
        self._slices = SliceWriting(connection, permit, slice_sizes or SliceSizes(), slice_is_gone)
        self._rounds = rounds or RoundMeasurement(Unmeasured(), lambda _: None)
        self._now = now or SteadyClock().now
        self._budgets = budgets or HeartbeatBudgets(dict)
        self._verdicts: dict[Key, str] = {}
        self._written: dict[Key, float] = {}
        self.decide_seconds = 0.0

    def reconcile(self, key: Key) -> float | None:
        """Bring one Rendezvous up to date.

        Returns:
            Seconds until it must be looked at again whatever happens; None: only when something happens.

        Raises:
            ApiFailureError: the API server did not carry something out; try again later.
            OvertakenError: look again at once.
        """
        known = self._rendezvous.get(key)
        if known is None:
            known = self._look_for(key)
            if known is None:
                return self._clean_up_after(key)
        known = self._with_names(key, known)
        verdict = self._decide(key, known.rendezvous)
        if verdict.decision.suspects:
            self._prove(key, verdict.decision)
            verdict = self._decide(key, known.rendezvous)
        if verdict.decision.doubtful:
            known, verdict = self._confirm(key, verdict.decision)
        status = self._prepare(known.rendezvous, verdict.decision)
        gone = self._slices.gone(known.rendezvous, status)
        self._rounds.decided(key, known.rendezvous.status, verdict.decision.status)
        for expulsion in verdict.decision.expel_first:
            self._expel_first(key, expulsion, opens=verdict.decision.opens)
        wake_after = self._write(key, known, verdict, status)
        self._sweep(key, verdict.decision.expel_beside)
        for expulsion in verdict.decision.expel_after:
            self._expel(key, expulsion)
            self._members(key[0]).forget(key, [expulsion.member])
        self._slices.written(known.rendezvous, status)
        again = self._answer_evictions(key, verdict.decision.eviction_answers)
        # One that is deleted before the status points at it is of no concern to anybody then.
        at_once = 0.0 if self._slices.gone(known.rendezvous, status) - gone else None
        return min((seconds for seconds in (wake_after, again, at_once) if seconds is not None), default=None)

    def _with_names(self, key: Key, known: KnownRendezvous) -> KnownRendezvous:
        """Read the names of a large round, if nobody has: after a start, or another operator's write."""
        if not known.rendezvous.status.is_unread:
            return known

        read = with_names(self._connection, known.rendezvous, lambda: self._newest(key))
        self._rendezvous.read(read)
        return KnownRendezvous(read)

    def _newest(self, key: Key) -> Rendezvous:
        """By a consistent read."""
        before = self._rendezvous.get(key)
        try:
            self._refresh(key)
        except ApiFailureError as failure:
            if is_no_such_object(failure, key[1]):
                if before is not None:
                    self._rendezvous.remove(key, before.rendezvous.uid)
                raise OvertakenError from failure
            raise
        found = self._rendezvous.get(key)
        if found is None:
            raise OvertakenError
        return found.rendezvous

    def _prepare(self, rendezvous: Rendezvous, decision: Decision) -> RendezvousStatus:
        """The status that is to be written; its slices are written."""
        try:
            return self._slices.prepared(rendezvous, decision)
        except ChangedMeanwhileError as error:
            raise OvertakenError from error

    def _decide(self, key: Key, rendezvous: Rendezvous) -> Verdict:
        began = time.perf_counter()
        members = self._members(key[0])
        observed = members.observed(key)
        budget = self._budgets.budget(key, rendezvous.status.heartbeat_seconds)
        decision = decide(rendezvous, observed, self._now(), budget, self._surroundings(key))
        if decision.owners_to_read:
            self._read_owners(key, decision.owners_to_read)
            decision = decide(rendezvous, observed, self._now(), budget, self._surroundings(key))
            if decision.owners_to_read:
                raise OvertakenError  # the pods have changed meanwhile, and may have another owner
        self.decide_seconds = time.perf_counter() - began
        return Verdict(decision, observed)

    def _prove(self, key: Key, decision: Decision) -> None:
        """Find out whose silence it is, the members' or the API server's: does it serve a consistent read promptly?"""
        began = time.monotonic()
        self._read_members(key, decision)
        self._members(key[0]).prove(key, decision.suspects, began)

    def _read_members(self, key: Key, decision: Decision) -> ConsistentList:
        """Bring the cache up to date with a consistent read.

        A read that fails, or takes longer than a heartbeat interval, shows an API server that nobody could be heard
        through: then all clocks start again.
        """
        promptly = float(decision.status.heartbeat_seconds)
        told, known = self._members(key[0]).told_version, self._members(key[0]).versions(key)
        began = time.monotonic()
        selector = {"fieldSelector": f"spec.rendezvous={key[1]}"}
        protocol = WatchProtocol(selector, paged=True, slim=slim_custom_resource)
        listed: list[Object] | None = None
        try:
            while listed is None:
                request = protocol.next_request()
                sizes: list[int] = []
                answer = self._connection.request(
                    "GET",
                    collection_path(MEMBER_PLURAL, key[0]),
                    query=request.query,
                    timeout=max(promptly, ANSWER_SECONDS),
                    told_size=sizes.append,
                )
                if is_older(answer, told):
                    self._on_set_back()
                    raise OvertakenError
                listed = protocol.listed(answer, sum(sizes))
            if any(is_older(member, known.get(str(member["metadata"].get("uid")))) for member in listed):
                self._on_set_back()
                raise OvertakenError
            version = int(protocol.version or 0)
        except ApiFailureError:
            self._members(key[0]).doubt(key)
            raise
        except ValueError as error:  # MalformedAnswerError among them
            self._members(key[0]).doubt(key)
            raise ApiUnavailableError("GET rendezvousmembers", 0, "", str(error)) from error
        self._members(key[0]).refresh(key, listed, began, version)
        if time.monotonic() - began > promptly:
            self._members(key[0]).doubt(key)
        return ConsistentList(version, frozenset(str(obj["metadata"].get("uid")) for obj in listed))

    def _confirm(self, key: Key, first: Decision) -> tuple[KnownRendezvous, Verdict]:
        """Look again with consistent reads: the Rendezvous first, so that the Members are at least as new.

        Whatever is doubtful then is as sure as it can be: this was the second look at it, or a consistent first one.
        """
        self._newest(key)
        listed = self._read_members(key, first)
        known = self._rendezvous.get(key)
        if known is None:
            raise OvertakenError
        known = self._with_names(key, known)
        return known, self._decide(key, known.rendezvous)._replace(listed=listed)

    def _write(self, key: Key, known: KnownRendezvous, verdict: Verdict, after: RendezvousStatus) -> float | None:
        decision, gone = verdict.decision, (*verdict.gone, *(one.member for one in verdict.decision.expel_first))
        before = known.rendezvous.status
        if after == before:
            self._members(key[0]).forget(key, gone)
            return decision.wake_after
        rest = self._written.get(key, 0.0) + progress_every(after) - time.monotonic()
        if rest > 0 and only_progress(before, after):
            return min(rest, decision.wake_after) if decision.wake_after is not None else rest
        body = _status_body(known.rendezvous, after)
        self._permit()
        if decision.opens:
            self._open(key, verdict)
        try:
            answer = self._connection.request("PUT", object_path(RENDEZVOUS_PLURAL, *key) + "/status", body=body)
        except ApiFailureError as failure:
            if failure.status == 409:
                self._refresh(key)
                raise OvertakenError from failure
            if is_no_such_object(failure, key[1]):
                self._rendezvous.remove(key, known.rendezvous.uid)
                raise OvertakenError from failure
            raise
        self._rendezvous.put(answer, after)
        self._written[key] = time.monotonic()
        self._members(key[0]).forget(key, gone)
        if after.heartbeat_seconds < before.heartbeat_seconds:
            self._members(key[0]).count_anew(key)
        self._rounds.written(key, before, after)
        self._tell(key, known.rendezvous, decision)
        return decision.wake_after

    def _open(self, key: Key, verdict: Verdict) -> None:
        """Those that are gone are not heard again. Before the write: its answer may be lost."""
        deleted_for_it = (one.member for one in verdict.decision.expel_first if one.member.close_requested)
        self._members(key[0]).forget(key, (*verdict.gone, *deleted_for_it))
        self._members(key[0]).opened(key, verdict.listed.uids, verdict.listed.version)

    def _tell(self, key: Key, rendezvous: Rendezvous, decision: Decision) -> None:
        if self._verdicts.get(key) != decision.verdict:
            self._verdicts[key] = decision.verdict
            _log.info("Rendezvous %s/%s: %s", *key, decision.verdict, extra=about_rendezvous(key))
        for announcement in decision.announcements:
            self._announce(rendezvous, announcement)

    def _expel_first(self, key: Key, expulsion: Expulsion, *, opens: bool) -> None:
        try:
            self._expel(key, expulsion)
        except ApiRefusedError as refusal:
            if not (opens and expulsion.member.close_requested):
                raise
            # A new run is not to wait for what somebody's webhook may forbid for ever.
            _log.warning(
                "RendezvousMember %s/%s, which asked to close the last run, cannot be deleted: %s",
                *(expulsion.member.namespace, expulsion.member.name, refusal),
            )
        else:
            self._members(key[0]).expelled(key, expulsion)

    def _expel(self, key: Key, expulsion: Expulsion) -> None:
        member = expulsion.member
        self._permit()
        try:
            deleted = delete_member(self._connection, expulsion)
        except ChangedMeanwhileError as error:
            raise OvertakenError from error
        if deleted:
            _log.info(
                "RendezvousMember %s/%s deleted: %s",
                *(member.namespace, member.name, expulsion.reason),
                extra=about_member(member.namespace, member.name),
            )

    def _refresh(self, key: Key) -> None:
        known, asked = self._rendezvous.get(key), time.monotonic()
        raw = self._connection.request("GET", object_path(RENDEZVOUS_PLURAL, *key))
        uid = str(raw["metadata"].get("uid"))
        told = known.rendezvous.resource_version if known is not None and known.rendezvous.uid == uid else None
        if self._rendezvous.was_gone(uid, asked) or is_older(raw, told):
            self._on_set_back()
            raise OvertakenError
        self._rendezvous.put(raw)

    def _look_for(self, key: Key) -> KnownRendezvous | None:
        """kopf has not shown us this object: ask, because its Members are here."""
        if not self._members(key[0]).observed(key):
            return None
        try:
            self._refresh(key)
        except ApiFailureError as failure:
            if not is_no_such_object(failure, key[1]):
                raise
        return self._rendezvous.get(key)

    def _clean_up_after(self, key: Key) -> float | None:
        """Members of a Rendezvous that is gone belong to nobody; those that come before theirs may.

        Returns:
            As `reconcile`.
        """
        self._verdicts.pop(key, None)
        self._written.pop(key, None)
        self._rounds.forget(key)
        self._slices.forget(key)
        self._budgets.forget(key)
        observed = self._members(key[0]).observed(key)
        self._members(key[0]).forget(key, [seen.member for seen in observed if seen.deleted])
        left, look_again_in = without_rendezvous([seen for seen in observed if not seen.deleted])
        self._sweep(key, left)
        return look_again_in


def _status_body(rendezvous: Rendezvous, status: RendezvousStatus) -> dict[str, Any]:
    """What a PUT of the status needs: the API server takes all else from the object itself."""
    return {
        "apiVersion": API_VERSION,
        "kind": RENDEZVOUS_KIND,
        "metadata": {
            "namespace": rendezvous.namespace,
            "name": rendezvous.name,
            "uid": rendezvous.uid,
            "resourceVersion": rendezvous.resource_version,
        },
        "status": status_to_json(status),
    }
