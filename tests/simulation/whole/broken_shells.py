"""Plausible bugs in what surrounds the pure cores: caches, queue, reconciler, watch, session, heartbeat.

Each replaces a function of the shipped code by one that lacks what a comment or a rule there asks for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, set_back
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.membership import member_writer, outlook, own_member, standing
from kube_rendezvous.membership.own_slice import OwnSlice, rank_in, unread_slice
from kube_rendezvous.membership.session import Session
from kube_rendezvous.membership.signs_of_life import SignsOfLife
from kube_rendezvous.membership.standing import Standpoint
from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous.resources.rendezvous_slice import digests_in
from kube_rendezvous_core import decision
from kube_rendezvous_core.formation.formation import Crowd, Formation
from kube_rendezvous_core.liveness.liveness import Loss
from kube_rendezvous_core.observed.observation import Expulsion
from kube_rendezvous_core.policy import closing
from kube_rendezvous_operator.shell.leading import lease_protocol
from kube_rendezvous_operator.shell.leading.leader_election import LeaderElection
from kube_rendezvous_operator.shell.leading.lease_protocol import LeaseProtocol, LeaseRecord
from kube_rendezvous_operator.shell.reconciling import member_deletion, reconciler, sweeper
from kube_rendezvous_operator.shell.reconciling.reconciler import ConsistentList, Reconciler
from kube_rendezvous_operator.shell.reconciling.slice_writing import SliceWriting
from kube_rendezvous_operator.shell.reconciling.wake_queue import WakeQueue
from kube_rendezvous_operator.shell.watching.cluster_cache import NodeCache
from kube_rendezvous_operator.shell.watching.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.watching.rendezvous_cache import RendezvousCache
from simulation.whole.simulated_modules import Replacement

_read = LeaseProtocol.read
_joined = Standpoint.joined
_plan = decision.plan_formation
_expulsions = decision._expulsions
_status_body, _wake = reconciler._status_body, WakeQueue.wake
_renew, _rejoin, _patch = SignsOfLife._renew, Session.rejoin, member_writer.patch_member


def _unfenced(rendezvous: Rendezvous, status: RendezvousStatus) -> dict[str, Any]:
    body = _status_body(rendezvous, status)
    return {**body, "metadata": {key: text for key, text in body["metadata"].items() if key != "resourceVersion"}}


def _without_a_sentence(*arguments: Any) -> Iterator[Expulsion]:
    for expulsion in _expulsions(*arguments):
        yield replace(expulsion, why="") if expulsion.reason == decision.NOT_ARRIVED else expulsion


def _kept_over_relist(self: MemberCache, objects: list[Object]) -> None:
    for obj in objects:
        self.changed(obj)
    self.synced.set()


def _lost_while_handled(self: WakeQueue[Key], key: Key, after: float = 0.0) -> None:
    if key not in self._handled:
        _wake(self, key, after)


def _gives_up_heartbeat(self: SignsOfLife, timeout: float) -> None:
    try:
        _renew(self, timeout)
    except ApiFailureError:
        self._heartbeat._stop.set()
        raise


def _gives_up_watch(self: Watcher, failure: ApiFailureError) -> None:
    self._listener.troubled(failure)
    self._stop.set()


def _as_if_there(*request: Any) -> bool:
    _patch(*request)
    return True


def _knowing_nothing(self: Standpoint, name: str, rendezvous: Rendezvous) -> Standpoint:
    return replace(_joined(self, name, rendezvous), after_round=0, known_round=0)


def _never_lost(self: LeaseProtocol, record: LeaseRecord | None, now: float) -> None:
    _read(self, record, now)
    self.lost = False


def _too_old(self: Session, after_round: int, port: int, deadline: float) -> None:
    _rejoin(self, after_round - 1, port, deadline)


def _tells_at_every_opening(
    rendezvous: Rendezvous, crowd: Crowd, losses: Sequence[Loss], reopened: bool, now: datetime
) -> Formation:
    shown = replace(crowd, arrived=(), running=(), left_out=()) if reopened else crowd
    return _plan(rendezvous, shown, losses, reopened, now)


def _removed_at_once(self: SliceWriting, rendezvous: Rendezvous, after: RendezvousStatus) -> None:
    for digest in sorted(digests_in(rendezvous.status) - digests_in(after)):
        self._delete(rendezvous, digest)


def _read_once(status: RendezvousStatus, name: str, read: OwnSlice) -> str | None:
    return None if read.name == name else unread_slice(status, name, read)


def _rank_of_old(status: RendezvousStatus, name: str, read: OwnSlice) -> int | None:
    return read.rank if status.is_unread else rank_in(status, name, read)


# Either is enough for most that is late: the one knows what a list has shown, the other what the status says.
_THE_LAST_RUN_IS_HEARD: list[Replacement] = [
    (MemberCache, "opened", lambda *_: None),
    (closing, "_is_of_the_last_run", lambda *_: False),
]

BROKEN: dict[str, list[Replacement]] = {
    "NO_FENCE": [(reconciler, "_status_body", _unfenced)],
    "CACHE_KEPT_OVER_RELIST": [(MemberCache, "relisted", _kept_over_relist)],
    "DELETE_WITHOUT_PRECONDITION": [
        (member_deletion, "preconditions", lambda _: {}),
        (sweeper, "_READS_THE_RENDEZVOUS", frozenset()),
    ],
    "SILENCE_COUNTED_WHILE_CUT": [
        (MemberCache, "troubled", lambda *_: None),
        (MemberCache, "doubt", lambda *_: None),
        (MemberCache, "count_anew", lambda *_: None),
    ],
    "WAKE_UP_LOST": [(WakeQueue, "wake", _lost_while_handled)],
    "CONFIRMED_FROM_CACHE": [(Reconciler, "_read_members", lambda *_: ConsistentList())],
    "CLIENT_NEVER_REJOINS": [(Session, "rejoin", lambda *_: None)],
    "EXPELLED_UNNOTICED": [(member_writer, "patch_member", _as_if_there)],
    "SET_BACK_UNNOTICED": [(set_back, "is_older", lambda *_: False)],
    "SET_BACK_BELIEVED": [(reconciler, "is_older", lambda *_: False), (RendezvousCache, "was_gone", lambda *_: False)],
    "NUMBER_TAKEN_TWICE": [(Standpoint, "joined", _knowing_nothing)],
    "FORGOTTEN_UNSAID": [(Session, "_compare", lambda *_: None)],
    "HEARTBEAT_GIVES_UP": [(SignsOfLife, "_renew", _gives_up_heartbeat)],
    "WATCH_GIVES_UP": [(Watcher, "_recover", _gives_up_watch)],
    "INTERRUPTION_UNHEARD": [(outlook, "nodes_waiting", lambda *_: 0)],
    "LEASE_UNASKED": [(LeaderElection, "permit", lambda _: None)],
    "LEASE_BELIEVED_TOO_LONG": [(lease_protocol, "BELIEF_FRACTION", 2.0)],
    "LEASE_SEIZED": [(LeaseProtocol, "_may_claim", lambda *_: True)],
    "LEASE_LOST_UNNOTICED": [(LeaseProtocol, "read", _never_lost)],
    "NAME_REUSED": [(own_member, "_NAME_RANDOM", 0)],
    "SLICES_UNWRITTEN": [(SliceWriting, "_write", lambda *_: None)],
    "SLICES_REMOVED_AT_ONCE": [(SliceWriting, "written", _removed_at_once)],
    "SLICE_READ_ONCE": [(standing, "unread_slice", _read_once), (standing, "rank_in", _rank_of_old)],
    "NAMES_UNREAD": [(Reconciler, "_with_names", lambda _, __, known: known)],
    "REJOIN_TOO_OLD": [(Session, "rejoin", _too_old)],
    "REQUEST_HEARD_AGAIN": [*_THE_LAST_RUN_IS_HEARD, (MemberCache, "forget", lambda *_: None)],
    "LATE_NEWS_TAKEN": _THE_LAST_RUN_IS_HEARD,
    "SENTENCE_LEFT_OUT": [(decision, "_expulsions", _without_a_sentence)],
    "EVERY_OPENING_TELLS": [(decision, "plan_formation", _tells_at_every_opening)],
    "NODE_CHANGES_UNSEEN": [(NodeCache, "changed", lambda *_: None)],
}
