"""What is done about places and runs that fail again and again (`spec.failurePolicy`).

Quarantine: a node or slot that lost `losses` members within `windowSeconds` is left out of new rounds until it is
trusted again. Limits: a rendezvous that needed too many rounds is closed with a reason instead of burning GPUs.

Losses that somebody wanted (a deletion, an eviction, a drain, a goodbye, a restart of all containers while the trainer
still ran: a restart rule restarts the pods of healthy peers as well) count against nobody.
"""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources import Closed, Forming, Member, Rendezvous, Reopen
from kube_rendezvous.resources.failure_policy import QuarantinedPlace, RecentLoss, places_at
from kube_rendezvous.resources.names import TRUST_ANNOTATION
from kube_rendezvous_core.liveness.liveness import DELETED, LEFT, SILENT, SUPERSEDED, Loss
from kube_rendezvous_core.liveness.pod_liveness import (
    CONTAINER_ENDED,
    CONTAINER_RESTARTED,
    CONTAINERS_RESTARTING,
    DEVICE_UNHEALTHY,
    NODE_DRAINING,
    NODE_GONE,
    POD_DELETED,
    POD_EVICTED,
    POD_FINISHED,
    POD_TERMINATING,
)

BY_POLICY = "ClosedByFailurePolicy"

LOSSES_KEPT = 100
QUARANTINED_KEPT = 50
_LAST_FAILURE_SHOWN = 600  # characters: what to do must still fit into the message

_COUNTING = frozenset(
    {SILENT, SUPERSEDED, POD_FINISHED, CONTAINER_ENDED, CONTAINER_RESTARTED, NODE_GONE, DEVICE_UNHEALTHY}
)
_WANTED_LOSSES = frozenset(
    {LEFT, DELETED, POD_DELETED, POD_TERMINATING, POD_EVICTED, NODE_DRAINING, CONTAINERS_RESTARTING}
)
_WANTED_ROUNDS = frozenset({"FirstRound", "Reopened", "Growth", "SpecChanged"}) | _WANTED_LOSSES


@dataclass(frozen=True, slots=True)
class Blame:
    """What places have to answer for. ``news``: places quarantined by this decision."""

    losses: tuple[RecentLoss, ...] = ()
    quarantined: tuple[QuarantinedPlace, ...] = ()
    news: tuple[QuarantinedPlace, ...] = ()

    def holds(self, member: Member) -> bool:
        """Whether the member sits at a quarantined place."""
        return bool(self.quarantined) and bool(places_of(member) & {place.place for place in self.quarantined})


def places_of(member: Member) -> set[str]:
    """The names of the places where a member sits."""
    return places_at(member.node_name, member.slot)


def is_left_out(rendezvous: Rendezvous, member: Member) -> bool:
    """Whether the member sits at a place that was quarantined before this decision, and is not trusted again."""
    if rendezvous.spec.failure_policy.quarantine is None or not rendezvous.status.quarantined:
        return False
    quarantined = {place.place for place in rendezvous.status.quarantined} - rendezvous.trusted_places
    return bool(places_of(member) & quarantined)


def settle_blame(rendezvous: Rendezvous, losses: Iterable[Loss], alive: Container[str], now: datetime) -> Blame:
    """Record new losses and decide which places are left out.

    Args:
        rendezvous: whose policy and record it is.
        losses: those of ranked members that are carried out now.
        alive: names of members that live: a slot is what a member says, and one that lives in it has lost nothing.
        now: wall clock, UTC.
    """
    policy, status = rendezvous.spec.failure_policy.quarantine, rendezvous.status
    if policy is None:
        return Blame()
    trusted = rendezvous.trusted_places
    held = (slot for name, slot in zip(status.ranks, status.slots, strict=False) if name in alive)
    shared = set().union(*(places_at("", slot) for slot in held))
    newest = [
        RecentLoss(place, loss.name, loss.reason, now)
        for loss in losses
        if loss.member is not None and loss.reason in _COUNTING
        for place in sorted(places_of(loss.member))
        if place not in shared
    ]
    begin = now - timedelta(seconds=policy.window_seconds)
    recorded = {(loss.place, loss.member) for loss in status.recent_losses}
    fresh = [loss for loss in newest if (loss.place, loss.member) not in recorded]
    kept = tuple(loss for loss in (*fresh, *status.recent_losses) if loss.at > begin and loss.place not in trusted)[
        :LOSSES_KEPT
    ]
    earlier = tuple(place for place in status.quarantined if place.place not in trusted)
    news = tuple(
        QuarantinedPlace(place, now, _sentence(place, count, policy.window_seconds, rendezvous))
        for place, count in Counter(loss.place for loss in kept).items()
        if count >= policy.losses and place not in {known.place for known in earlier}
    )[: max(0, QUARANTINED_KEPT - len(earlier))]
    return Blame(kept, (*earlier, *news), news)


def exhausted(rendezvous: Rendezvous, forming: Forming | None, now: datetime) -> Closed | None:
    """Whether the next round would be one too many.

    Args:
        rendezvous: whose policy it is; the history in its status tells the rounds so far.
        forming: the formation that is about to go on.
        now: wall clock, UTC.
    """
    policy, status = rendezvous.spec.failure_policy, rendezvous.status
    if forming is None or not forming.interrupts or forming.reason in _WANTED_ROUNDS:
        return None
    rounds = status.round - status.opened_after
    if policy.max_rounds is not None and rounds >= policy.max_rounds:
        return _close(f"{rounds} rounds were formed, maxRounds is {policy.max_rounds}", rendezvous, forming, now)
    limit = policy.no_progress
    if limit is None:
        return None
    begin = now - timedelta(seconds=limit.within_seconds)
    failed = [
        past
        for past in status.history
        if past.formed_at > begin and past.round > status.opened_after and past.reason not in _WANTED_ROUNDS
    ]
    if len(failed) + 1 < limit.rounds:
        return None
    text = f"failures made {len(failed) + 1} rounds necessary within {limit.within_seconds} s"
    return _close(text, rendezvous, forming, now)


def _close(why: str, rendezvous: Rendezvous, forming: Forming, now: datetime) -> Closed:
    again = "start the job anew"
    if rendezvous.spec.reopen is Reopen.NEVER:
        again = f"delete rdzv {rendezvous.name} (spec.reopen is Never) and start the job anew"
    last = forming.message[:_LAST_FAILURE_SHOWN]
    message = f"{why}; the last failure: {last}. Look at the logs of the members that failed, then {again}"
    # Who still runs has lost a peer: without a word it would wait for that peer, and burn what this is to save.
    return Closed("spec.failurePolicy", now, BY_POLICY, message, interrupts=True)


def _sentence(place: str, count: int, window: int, rendezvous: Rendezvous) -> str:
    trusted = ",".join(sorted({*rendezvous.trusted_places, place}))
    return (
        f"{place} lost {count} members within {window} s and is left out; when it is mended: kubectl -n "
        f"{rendezvous.namespace} annotate rdzv {rendezvous.name} --overwrite "
        f"{shell_word(f'{TRUST_ANNOTATION}={trusted}')}"
    )[:1024]
