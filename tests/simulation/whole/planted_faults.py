"""What can be broken on purpose in the shipped code, to show that the simulation finds it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from kube_rendezvous.resources import BootstrapStore, Member, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core import Decision, ObservedMember, Surroundings
from kube_rendezvous_core.liveness.heartbeat import HeartbeatBudget
from kube_rendezvous_operator.shell.reconciling import reconciler
from simulation.whole.broken_shells import BROKEN
from simulation.whole.broken_signs import BROKEN_SIGNS
from simulation.whole.simulated_modules import Replacement

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Fault(StrEnum):
    """One planted fault each."""

    NO_FENCE = "no fence on the status write"
    RANKS_BY_ARRIVAL = "ranks by arrival"
    CACHE_KEPT_OVER_RELIST = "cache kept over a relist"
    DEADLINE_RESET_AT_RESTART = "deadline reset at restart"
    DELETE_WITHOUT_PRECONDITION = "delete without precondition"
    NO_SECOND_LOOK = "no second look on a stale cache"
    SILENCE_COUNTED_WHILE_CUT = "silence counted while the watch is cut, unproven"
    CLIENT_NEVER_REJOINS = "client that never re-joins"
    INTERRUPTS_WITHDRAWN = "interrupts withdrawn"
    STORE_OF_ANOTHER_MEMBER = "store of another member"
    POD_NOTICE_IGNORED = "notice of a pod's end ignored"
    GONE_POD_IGNORED = "gone pod ignored"
    ON_THE_WAY_IGNORED = "pods on their way ignored"
    PODS_THAT_CANNOT_COME_WAITED_FOR = "pods that cannot come waited for"
    QUARANTINE_FORGOTTEN = "quarantine forgotten at operator restart"
    STANDBY_IGNORED = "bound of standby ignored"
    DOMAIN_SPLIT = "domain split"
    INTERVAL_SHRINKS_AT_ONCE = "heartbeat interval shrinks at once"
    MAX_ROUNDS_IGNORED = "maxRounds ignored"
    WAKE_UP_LOST = "what wakes a rendezvous while it is handled is forgotten"
    CONFIRMED_FROM_CACHE = "the second look reads nothing"
    EXPELLED_UNNOTICED = "a client does not notice that its Member is gone"
    HEARTBEAT_GIVES_UP = "one failed heartbeat is the last"
    WATCH_GIVES_UP = "a watch that fails is not opened again"
    INTERRUPTION_UNHEARD = "a client is deaf to interrupts"
    NAME_REUSED = "a client joins again under its old name"
    LEASE_UNASKED = "nobody asks for the lease before a write"
    LEASE_BELIEVED_TOO_LONG = "the lease is believed in for longer than it lasts"
    LEASE_SEIZED = "a standby does not wait until the lease has run out"
    LEASE_LOST_UNNOTICED = "a lease that names another is renewed as if it were ours"
    SLICES_UNWRITTEN = "a status points at slices that are not there yet"
    SLICES_REMOVED_AT_ONCE = "slices are removed while slow readers need them"
    SLICE_READ_ONCE = "a client takes an older slice for the newest"
    NAMES_UNREAD = "an operator takes a large round for an empty one when it starts"
    REJOIN_TOO_OLD = "a client waits again after the round before its own"
    TAKEN_FOR_EMPTY = "what a member has closed is open for the next at once"
    LAST_CALL_CUT_SHORT = "who was told to stop is not waited for"
    REQUEST_LOST = "a Member that asked to close goes before that is on record"
    REQUEST_HEARD_AGAIN = "a request to close is heard again after the opening"
    LATE_NEWS_TAKEN = "who was gone at an opening rises when the watch tells of it late"
    EVERY_OPENING_TELLS = "all are told at each opening, also who never left"
    STATUS_NEVER_THE_SAME = "a status holds the time of the decision"
    SAME_STATUS_WRITTEN = "a status is written although it is there"
    CLOSED_BY_HAND_IGNORED = "spec.closed is ignored"
    CLOSED_FOR_GOOD = "what a person closed stays closed"
    DELETED_TOO_LATE = "who is left out of a round keeps its Member until after the write"
    SILENCE_BY_WALL_CLOCK = "silence is counted by the clock of who is silent"
    NODE_CHANGES_UNSEEN = "changes of nodes are not seen"
    DEVICES_IGNORED = "what nodes say of devices is ignored"
    DEVICE_RECOVERY_UNHEARD = "whatever a node says of a device, it is taken for ill"
    DEVICE_WITHOUT_SPARE = "who has an ill device is handed over although nobody can take its place"
    SPARE_NOT_LOOKED_FOR = "who has an ill device is handed over to a spare that the cache alone knows"
    AILING_TAKES_A_PLACE = "newcomers with ill devices take places before healthy ones"
    SUSPICION_BELIEVED = "whom a neighbour suspects is lost without being asked"
    ANSWER_UNHEARD = "an answer to a question is not taken for one"
    QUESTION_UNHEARD = "who is asked does not answer"
    QUESTION_NEVER_ASKED = "suspicions are not heeded"
    QUESTION_FORGOTTEN = "nobody looks whether the one who was asked has answered"
    QUESTION_REPEATED = "who has just answered is asked again"
    SUSPICION_UNSAID = "who hears nothing of a neighbour keeps it to itself"
    THE_DEAF_ACCUSE = "who hears nobody suspects all"
    PAUSE_SLEPT_OUT = "who has drawn a long pause sleeps it out, however short the interval has become"
    SENTENCE_LEFT_OUT = "who had not joined again is expelled without a sentence"
    SET_BACK_UNNOTICED = "a client does not compare what it writes with what its watch has told"
    SET_BACK_BELIEVED = "an operator does not compare what it reads with what it knows"
    NUMBER_TAKEN_TWICE = "a client goes to a round whose number it has seen before"
    FORGOTTEN_UNSAID = "a client does not say again what a restored backup has forgotten of it"
    THE_SLEEPER_ACCUSES = "who was asleep suspects those that it has not heard meanwhile"


def planted(faults: frozenset[Fault], at_start: Callable[[], bool]) -> list[Replacement]:
    """What breaks the shipped code so.

    Args:
        faults: to plant.
        at_start: whether the operator process that asks decides for the first time.
    """
    if not faults:
        return []
    found: list[Replacement] = [(reconciler, "decide", _faulty(reconciler.decide, faults, at_start))]
    for fault in sorted(faults):
        found += (BROKEN | BROKEN_SIGNS).get(fault.name, [])
    return found


def _faulty(decide: Callable[..., Decision], faults: frozenset[Fault], at_start: Callable[[], bool]) -> Any:
    def faulty(
        rendezvous: Rendezvous,
        members: Sequence[ObservedMember],
        now: datetime,
        budget: HeartbeatBudget,
        around: Surroundings,
    ) -> Decision:
        if Fault.SILENCE_COUNTED_WHILE_CUT in faults:
            members = [replace(seen, proven_silence=None) for seen in members]
        if Fault.SILENCE_BY_WALL_CLOCK in faults:
            members = [replace(seen, silence=_seconds_since(seen.member.renew_time, now)) for seen in members]
        if Fault.INTERVAL_SHRINKS_AT_ONCE in faults:
            budget = replace(budget, held_for=math.inf)
        shown = blind(faults, rendezvous, at_start=at_start())
        decision = decide(shown, members, now, budget, blind_around(faults, around))
        by_name = {seen.member.name: seen.member for seen in members}
        status = spoil(faults, rendezvous.status, decision.status, by_name)
        if Fault.STATUS_NEVER_THE_SAME in faults:
            status = replace(status, conditions=tuple(replace(c, last_transition_time=now) for c in status.conditions))
        if Fault.SAME_STATUS_WRITTEN in faults:
            status = _Unlike(**{part.name: getattr(status, part.name) for part in fields(status)})
        if Fault.DELETED_TOO_LATE in faults:
            expel_after = (*decision.expel_first, *decision.expel_after)
            decision = replace(decision, expel_first=(), expel_after=expel_after)
        if Fault.REQUEST_LOST in faults:
            decision = _those_who_asked_first(decision)
        if Fault.NO_SECOND_LOOK in faults:
            return _Sure(**{part.name: getattr(decision, part.name) for part in fields(decision)} | {"status": status})
        return replace(decision, status=status)

    return faulty


def _those_who_asked_first(decision: Decision) -> Decision:
    after = (*decision.expel_after, *decision.expel_beside)
    early = tuple(one for one in after if one.member.close_requested)
    return replace(
        decision,
        expel_first=(*decision.expel_first, *early),
        expel_after=tuple(one for one in decision.expel_after if one not in early),
        expel_beside=tuple(one for one in decision.expel_beside if one not in early),
    )


def _seconds_since(renewed: str, now: datetime) -> float:
    return max(0.0, (now - parse_time(renewed)).total_seconds())


class _Unlike(RendezvousStatus):
    """Not equal to any other."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _: object) -> bool:
        return False


class _Sure(Decision):
    @property
    def doubtful(self) -> bool:
        return False


def blind(faults: frozenset[Fault], known: Rendezvous, *, at_start: bool) -> Rendezvous:
    """The Rendezvous as a core with these faults would see it."""
    status, spec = known.status, known.spec
    if Fault.DEADLINE_RESET_AT_RESTART in faults and at_start and status.forming is not None:
        status = replace(status, forming=replace(status.forming, deadline=None))
    if Fault.QUARANTINE_FORGOTTEN in faults and at_start:
        status = replace(status, quarantined=(), recent_losses=())
    told = status.forming is not None and status.forming.interrupts
    if Fault.LAST_CALL_CUT_SHORT in faults and told and status.forming is not None:
        status = replace(status, forming=replace(status.forming, since=_LONG_AGO, deadline=_LONG_AGO))
    if Fault.CLOSED_BY_HAND_IGNORED in faults:
        spec = replace(spec, closed=False)
    if Fault.CLOSED_FOR_GOOD in faults and status.closed is not None and status.closed.reason == "ClosedBySpec":
        spec = replace(spec, closed=True)
    if Fault.STANDBY_IGNORED in faults:
        spec = replace(spec, max_spares=None)
    if Fault.MAX_ROUNDS_IGNORED in faults:
        spec = replace(spec, failure_policy=replace(spec.failure_policy, max_rounds=None))
    return replace(known, status=status, spec=spec)


def blind_around(faults: frozenset[Fault], around: Surroundings) -> Surroundings:
    """Pods and nodes as a core with these faults would see them."""
    pods = dict(around.pods)
    if Fault.POD_NOTICE_IGNORED in faults:
        pods = {uid: replace(pod, deleting=False, disruption="") for uid, pod in pods.items()}
    if Fault.PODS_THAT_CANNOT_COME_WAITED_FOR in faults:
        pods = {uid: replace(pod, hindrance=None) for uid, pod in pods.items()}
    if Fault.ON_THE_WAY_IGNORED in faults:
        pods = {uid: pod for uid, pod in pods.items() if pod.phase != "Pending"}
    gone = frozenset[str]() if Fault.GONE_POD_IGNORED in faults else around.gone_pods
    return replace(around, pods=pods, gone_pods=gone)


def spoil(
    faults: frozenset[Fault], before: RendezvousStatus, after: RendezvousStatus, members: dict[str, Member]
) -> RendezvousStatus:
    """The status that a core with these faults would write instead."""
    published = after.round > before.round
    if published and Fault.RANKS_BY_ARRIVAL in faults:
        arrival = [(members[name].created, name) for name in after.ranks]
        after = _reordered(after, sorted(range(after.world_size), key=lambda rank: arrival[rank]), members)
    if published and Fault.STORE_OF_ANOTHER_MEMBER in faults:
        after = replace(after, bootstrap_store=_store_of(members[after.ranks[-1]]))
    if published and Fault.DOMAIN_SPLIT in faults and after.domains:
        after = _reordered(after, sorted(range(after.world_size), key=lambda rank: (rank % 2, rank)), members)
    closed = after.closed
    if Fault.TAKEN_FOR_EMPTY in faults and closed is not None and closed.reason == "ClosedByMember":
        after = replace(after, closed=replace(closed, reopens_on_join=True))
    told = before.forming is not None and before.forming.interrupts
    forming = after.forming
    if Fault.INTERRUPTS_WITHDRAWN in faults and told and forming is not None and forming.deadline is None:
        after = replace(after, forming=replace(forming, interrupts=False))
    return after


def _reordered(status: RendezvousStatus, order: Sequence[int], members: Mapping[str, Member]) -> RendezvousStatus:
    """The same members with other ranks."""

    def taken(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(texts[rank] for rank in order) if texts else ()

    return replace(
        status,
        ranks=taken(status.ranks),
        slots=taken(status.slots),
        incarnations=taken(status.incarnations),
        domains=taken(status.domains),
        bootstrap_store=_store_of(members[status.ranks[order[0]]]),
    )


def _store_of(member: Member) -> BootstrapStore:
    return BootstrapStore(member.name, member.address, member.port)
