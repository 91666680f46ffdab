"""`decide`: the whole of the operator's judgement on one Rendezvous, as one pure function."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from kube_rendezvous.resources import BootstrapStore, Closed, Forming, Member, Rendezvous, RendezvousStatus
from kube_rendezvous_operator.core.closing import Closing, settle_closing
from kube_rendezvous_operator.core.conditions import (
    STALLED,
    STALLED_AFTER_SECONDS,
    describe,
    newly_true,
    set_conditions,
    state_of,
)
from kube_rendezvous_operator.core.formation import Crowd, Formation, plan_formation, sort_crowd
from kube_rendezvous_operator.core.heartbeat import heartbeat_interval
from kube_rendezvous_operator.core.history import record_round
from kube_rendezvous_operator.core.liveness import LEFT, OTHER_RENDEZVOUS, Liveness, Loss, judge
from kube_rendezvous_operator.core.observation import (
    Announcement,
    Decision,
    Expulsion,
    ObservedMember,
    Severity,
)
from kube_rendezvous_operator.core.ranking import assign_ranks

NOT_ARRIVED = "NotArrived"


def decide(
    rendezvous: Rendezvous, members: Sequence[ObservedMember], now: datetime, members_in_cluster: int = 0
) -> Decision:
    """Decide what to write for one Rendezvous.

    Args:
        rendezvous: as observed, with the status that the last decision left there. Nothing else is remembered
            between two decisions, so that an operator may die at any point.
        members: every observed Member that names the Rendezvous, in any order.
        now: wall clock, UTC.
        members_in_cluster: how many members share the API server, over all rendezvous.
    """
    before = rendezvous.status
    interval = heartbeat_interval(
        rendezvous.spec.heartbeat_seconds, before.heartbeat_seconds, max(members_in_cluster, len(members))
    )
    # Until a shorter interval is published, nobody can keep to it.
    liveness = judge(rendezvous, members, max(interval, before.heartbeat_seconds))
    ranked = set(before.ranks)
    ranked_losses = [loss for loss in liveness.losses if loss.name in ranked]
    closing = settle_closing(rendezvous, members, liveness, now)
    crowd = sort_crowd(rendezvous, liveness)
    if closing.closed is None:
        formation = plan_formation(rendezvous, crowd, ranked_losses, closing.reopened, now)
    else:
        formation = Formation(None)

    status = _new_status(rendezvous, closing.closed, formation, crowd, interval, now)
    expulsions = tuple(_expulsions(liveness, crowd, formation))
    newly_closed = closing.closed is not None and (
        before.closed is None or before.closed.reason != closing.closed.reason
    )
    told_before = before.forming is not None and before.forming.interrupts
    return Decision(
        status=status,
        expel_first=() if newly_closed else expulsions,
        expel_after=expulsions if newly_closed else (),
        announcements=tuple(_announcements(before, status, closing, liveness.losses, formation)),
        wake_after=_wake_after(status, liveness, now),
        verdict=describe(status),
        doubtful_losses=tuple(
            loss.name
            for loss in ranked_losses
            if loss.member is None and closing.closed is None and (formation.chosen or not told_before)
        ),
        suspects=liveness.suspects,
        doubtful_closing=closing.closed != before.closed and not rendezvous.spec.closed,
    )


def _new_status(
    rendezvous: Rendezvous,
    closed: Closed | None,
    formation: Formation,
    crowd: Crowd,
    interval: int,
    now: datetime,
) -> RendezvousStatus:
    before = rendezvous.status
    status = replace(
        before,
        observed_generation=rendezvous.generation,
        forming=formation.forming,
        closed=closed,
        heartbeat_seconds=interval,
    )
    if formation.forming is not None and formation.chosen:
        status = _publish(status, formation.forming, formation.chosen, now)
    ranked = set(status.ranks)
    spares = sum(1 for member in (*crowd.arrived, *crowd.newcomers) if member.name not in ranked)
    standby = spares if status.round > 0 and closed is None else 0
    status = replace(status, standby=standby, state=state_of(closed, status.forming))
    return replace(status, conditions=set_conditions(status, rendezvous.generation, now))


def _publish(status: RendezvousStatus, forming: Forming, chosen: Sequence[Member], now: datetime) -> RendezvousStatus:
    """Ranks, world size, bootstrap address and round number change together, in one write."""
    members = assign_ranks(status.ranks, status.slots, chosen)
    ranks = tuple(m.name for m in members)
    first = members[0]
    return replace(
        status,
        round=forming.round,
        ranks=ranks,
        slots=tuple(m.slot for m in members),
        bootstrap_store=BootstrapStore(first.name, first.address, first.port),
        forming=None,
        history=record_round(status, forming, ranks, now),
    )


def _expulsions(liveness: Liveness, crowd: Crowd, formation: Formation) -> Iterable[Expulsion]:
    """Whose Member object goes: the lost, and members of the old round that a new one was published without.

    One of those that has arrived in time is a spare from now on and keeps its object: only of one that may still
    run its old workers must nobody believe that it waits.
    """
    for loss in liveness.losses:
        if loss.member is not None and not loss.gone:
            yield Expulsion(loss.member, loss.reason, loss.doubtful)
    for stranger in liveness.strangers:
        yield Expulsion(stranger, OTHER_RENDEZVOUS, doubtful=True)
    if formation.chosen:
        for member in crowd.running:
            yield Expulsion(member, NOT_ARRIVED, doubtful=False)


def _announcements(
    before: RendezvousStatus,
    after: RendezvousStatus,
    closing: Closing,
    losses: Sequence[Loss],
    formation: Formation,
) -> Iterable[Announcement]:
    yield from closing.announcements
    ranked = set(before.ranks)
    if closing.closed is None:
        for loss in losses:
            # A name without an object was announced when its object went, unless that is what starts all this.
            told = before.forming is not None and before.forming.interrupts
            if loss.name in ranked and (loss.member is not None or not told):
                severity = Severity.NORMAL if loss.reason == LEFT else Severity.WARNING
                yield Announcement(severity, loss.reason, loss.message)
    if formation.chosen and after.bootstrap_store is not None:
        store = after.bootstrap_store
        text = f"Round {after.round} stands with {after.world_size} nodes, rank 0 is {store.member}"
        yield Announcement(Severity.NORMAL, "RoundFormed", f"{text} ({after.history[0].reason})")
    stalled = newly_true(STALLED, before.conditions, after.conditions)
    if stalled is not None:
        yield Announcement(Severity.WARNING, "Stalled", stalled.message)


def _wake_after(status: RendezvousStatus, liveness: Liveness, now: datetime) -> float | None:
    moments: list[float] = []
    if liveness.next_silence is not None:
        moments.append(liveness.next_silence)
    forming = status.forming
    if forming is not None:
        if forming.deadline is not None:
            moments.append((forming.deadline - now).total_seconds())
        stalls_in = STALLED_AFTER_SECONDS - (now - forming.since).total_seconds()
        if forming.arrived < forming.required and stalls_in > 0:
            moments.append(stalls_in)
    return max(0.0, min(moments)) if moments else None
