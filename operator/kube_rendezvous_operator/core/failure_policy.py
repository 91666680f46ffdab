"""What is done about places and runs that fail again and again (`spec.failurePolicy`).

Quarantine: a node or slot that lost `losses` members within `windowSeconds` is left out of new rounds until it is
trusted again. Limits: a rendezvous that needed too many rounds is closed with a reason instead of burning GPUs.

Losses that somebody wanted (a deletion, an eviction, a drain, a goodbye) count against nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kube_rendezvous.resources import Closed, Member, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.failure_policy import QuarantinedPlace, RecentLoss
from kube_rendezvous_operator.core.liveness import SILENT, SUPERSEDED, Loss
from kube_rendezvous_operator.core.pod_liveness import CONTAINER_ENDED, CONTAINER_RESTARTED, NODE_GONE, POD_FINISHED

BY_POLICY = "ClosedByFailurePolicy"

LOSSES_KEPT = 100
QUARANTINED_KEPT = 50

_COUNTING = frozenset({SILENT, SUPERSEDED, POD_FINISHED, CONTAINER_ENDED, CONTAINER_RESTARTED, NODE_GONE})
_WANTED_ROUNDS = frozenset({"FirstRound", "Reopened", "Growth", "SpecChanged"})


@dataclass(frozen=True, slots=True)
class Blame:
    """What places have to answer for. ``news``: places quarantined by this decision."""

    losses: tuple[RecentLoss, ...] = ()
    quarantined: tuple[QuarantinedPlace, ...] = ()
    news: tuple[QuarantinedPlace, ...] = ()

    def holds(self, member: Member) -> bool:
        """Whether the member sits at a quarantined place."""
        return bool(places_of(member) & {place.place for place in self.quarantined})


def places_of(member: Member) -> set[str]:
    """The names of the places where a member sits."""
    places = {f"node/{member.node_name}"} if member.node_name else set()
    return places | ({f"slot/{member.slot}"} if member.slot else set())


def settle_blame(rendezvous: Rendezvous, losses: Iterable[Loss], now: datetime) -> Blame:
    """Record new losses and decide which places are left out.

    Args:
        rendezvous: whose policy and record it is.
        losses: those of ranked members that are carried out now.
        now: wall clock, UTC.
    """
    policy, status = rendezvous.spec.failure_policy.quarantine, rendezvous.status
    if policy is None:
        return Blame()
    trusted = rendezvous.trusted_places
    newest = [
        RecentLoss(place, loss.name, loss.reason, now)
        for loss in losses
        if loss.member is not None and loss.reason in _COUNTING
        for place in sorted(places_of(loss.member))
    ]
    begin = now - timedelta(seconds=policy.window_seconds)
    recorded = {(loss.place, loss.member) for loss in status.recent_losses}
    fresh = [loss for loss in newest if (loss.place, loss.member) not in recorded]
    kept = tuple(
        loss for loss in (*fresh, *status.recent_losses) if loss.at > begin and loss.place not in trusted
    )[:LOSSES_KEPT]
    earlier = tuple(place for place in status.quarantined if place.place not in trusted)
    news = tuple(
        QuarantinedPlace(place, now, _sentence(place, count, policy.window_seconds, rendezvous))
        for place, count in _count(kept).items()
        if count >= policy.losses and place not in {known.place for known in earlier}
    )
    return Blame(kept, (*earlier, *news)[:QUARANTINED_KEPT], news)


def exhausted(rendezvous: Rendezvous, status: RendezvousStatus, now: datetime) -> Closed | None:
    """Whether the next round would be one too many.

    Args:
        rendezvous: whose policy it is.
        status: with the formation that is about to go on; its history tells the rounds so far.
        now: wall clock, UTC.
    """
    policy, forming = rendezvous.spec.failure_policy, status.forming
    if forming is None or not forming.interrupts or forming.reason in _WANTED_ROUNDS:
        return None
    rounds = status.round - status.opened_after
    if policy.max_rounds is not None and rounds >= policy.max_rounds:
        return _close(f"{rounds} rounds were formed, maxRounds is {policy.max_rounds}", forming.message, now)
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
    return _close(text, forming.message, now)


def _close(why: str, last: str, now: datetime) -> Closed:
    message = f"{why}; the last failure: {last}. Look at the logs of the members that failed, then start the job anew"
    return Closed("spec.failurePolicy", now, BY_POLICY, message[:1024])


def _count(losses: Sequence[RecentLoss]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for loss in losses:
        counts[loss.place] = counts.get(loss.place, 0) + 1
    return counts


def _sentence(place: str, count: int, window: int, rendezvous: Rendezvous) -> str:
    return (
        f"{place} lost {count} members within {window} s and is left out; when it is mended: kubectl -n "
        f"{rendezvous.namespace} annotate rdzv {rendezvous.name} rendezvous.dev/trusted-places={place}"
    )
