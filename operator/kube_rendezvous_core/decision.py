"""`decide`: the whole of the operator's judgement on one Rendezvous, as one pure function."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kube_rendezvous.resources import (
    BootstrapStore,
    Forming,
    Member,
    Ranking,
    RefusedMember,
    Rendezvous,
    RendezvousStatus,
)
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous_core.conditions import (
    STALLED,
    STALLED_AFTER_SECONDS,
    describe,
    newly_true,
    nodes,
    set_conditions,
    state_of,
)
from kube_rendezvous_core.formation.device_health import ailing_members, set_aside
from kube_rendezvous_core.formation.evictions import answers_due_in, eviction_answers, requested_evictions
from kube_rendezvous_core.formation.formation import (
    GROWTH,
    REJOIN_SECONDS,
    Crowd,
    Formation,
    WorldSizes,
    plan_formation,
    sort_crowd,
)
from kube_rendezvous_core.formation.held_up_pods import held_up_pods
from kube_rendezvous_core.formation.impossible import seconds_of_grace, shortage
from kube_rendezvous_core.formation.owners import size_mismatch, unread_owners
from kube_rendezvous_core.formation.pod_groups import (
    followed,
    gang_mismatch,
    groups_in_question,
    held_by_their_groups,
    held_up_groups,
    topology_from_groups,
    unread_groups,
)
from kube_rendezvous_core.formation.round_number import round_number
from kube_rendezvous_core.formation.standby import Standby, settle_standby
from kube_rendezvous_core.history import record_round
from kube_rendezvous_core.liveness.admission import NOT_ADMITTED, store_address
from kube_rendezvous_core.liveness.group_leaders import with_orphans
from kube_rendezvous_core.liveness.heartbeat import (
    ALL_FOR_ITSELF,
    HeartbeatBudget,
    heartbeat_interval,
    seconds_until_it_may_shrink,
    wants_to_shrink,
)
from kube_rendezvous_core.liveness.liveness import LEFT, NAME_TAKEN, OTHER_RENDEZVOUS, Liveness, Loss, judge
from kube_rendezvous_core.liveness.pod_liveness import DEVICE_UNHEALTHY
from kube_rendezvous_core.liveness.refusal import REFUSED
from kube_rendezvous_core.liveness.suspicion import settle_questions, unanswered
from kube_rendezvous_core.liveness.undecided import went_undecided
from kube_rendezvous_core.observed.location import located
from kube_rendezvous_core.observed.observation import (
    Announcement,
    Decision,
    Expulsion,
    ObservedMember,
    Severity,
)
from kube_rendezvous_core.observed.plausible_times import plausible
from kube_rendezvous_core.observed.surroundings import NOTHING_KNOWN, OwnerRef, Surroundings
from kube_rendezvous_core.policy.closing import Closing, settle_closing
from kube_rendezvous_core.policy.comings import RESTARTED, Damping, comes_and_goes, record_comings
from kube_rendezvous_core.policy.failure_policy import Blame, exhausted, is_left_out, settle_blame
from kube_rendezvous_core.ranking.ranking import assign_ranks
from kube_rendezvous_core.ranking.slots import shared_slots, with_unique_slots
from kube_rendezvous_core.ranking.topology import TOPOLOGY_UNKNOWN, Topology, topology_blindness

NOT_ARRIVED = "NotArrived"


def decide(
    rendezvous: Rendezvous,
    members: Sequence[ObservedMember],
    now: datetime,
    budget: HeartbeatBudget = ALL_FOR_ITSELF,
    surroundings: Surroundings = NOTHING_KNOWN,
) -> Decision:
    """Decide what to write for one Rendezvous.

    Args:
        rendezvous: as observed, with the status that the last decision left there. Nothing else is remembered
            between two decisions, so that an operator may die at any point.
        members: every observed Member that names the Rendezvous, in any order.
        now: wall clock, UTC.
        budget: of heartbeats, as the other rendezvous leave it.
        surroundings: pods and nodes, as far as they are known.
    """
    surroundings = with_orphans(held_by_their_groups(surroundings))
    before = plausible(rendezvous.status, rendezvous.spec, timedelta(seconds=REJOIN_SECONDS), now)
    if before is not rendezvous.status:
        rendezvous = replace(rendezvous, status=before)
    members = with_unique_slots(located(members, surroundings), surroundings, before)
    number = sum(belongs_to(m.member, rendezvous) and not m.deleted for m in members)
    interval = heartbeat_interval(rendezvous.spec.heartbeat_seconds, before.heartbeat_seconds, number, budget)
    # Until a shorter interval is published, nobody can keep to it.
    in_force = max(interval, before.heartbeat_seconds)
    liveness = judge(rendezvous, members, in_force, surroundings, unanswered(before, members, now))
    damping = Damping.of(before, now)
    liveness = set_aside(
        rendezvous, liveness, surroundings, lambda member: damping.holds(member) or is_left_out(rendezvous, member), now
    )
    questions = settle_questions(rendezvous, liveness.alive, in_force, now)
    ranked = set(before.ranks)
    ranked_losses = [loss for loss in (*liveness.losses, *liveness.departing) if loss.name in ranked]
    closing = settle_closing(rendezvous, members, liveness, now)
    blame = settle_blame(rendezvous, ranked_losses, liveness.alive, now)
    topology = _topology(rendezvous, liveness, surroundings)
    crowd = sort_crowd(rendezvous, liveness, surroundings, blame, damping, topology, now)
    formation = Formation(None)
    if closing.closed is None:
        formation = plan_formation(rendezvous, crowd, ranked_losses, closing.reopened, now)
        enough = exhausted(rendezvous, formation.forming, now)
        if enough is not None and not closing.reopened:
            closing = Closing(enough, (Announcement(Severity.WARNING, "Closed", enough.message),))
            formation = Formation(None)

    status = _new_status(
        rendezvous, closing, formation, crowd, blame, topology, surroundings, interval, liveness.refused, now
    )
    impossible = shortage(rendezvous.name, status.forming, liveness, surroundings, blame, now)
    notices = (
        topology_blindness(rendezvous.spec.ranking, surroundings),
        held_up_pods(crowd.hindered),
        ailing_members(liveness, surroundings),
        requested_evictions(liveness),
        comes_and_goes(crowd.damped, damping),
        shared_slots(members, liveness),
        size_mismatch(rendezvous.spec, surroundings, _outsiders(liveness, surroundings)),
        gang_mismatch(rendezvous.spec, surroundings),
        held_up_groups(surroundings),
        topology_from_groups(rendezvous.spec.ranking, surroundings),
    )
    conditions = set_conditions(status, rendezvous.generation, now, impossible, notices)
    comings = _comings(before, status, crowd, formation, now)
    status = replace(status, comings=comings, questions=questions.standing, conditions=conditions)
    expulsions = tuple(_expulsions(before, liveness, crowd, formation))
    beside = tuple(_expulsions_beside(before, liveness))
    newly_closed = closing.closed is not None and (
        before.closed is None or before.closed.reason != closing.closed.reason
    )
    told_before = before.forming is not None and before.forming.interrupts
    first = expulsions if formation.chosen and not newly_closed else ()
    if closing.reopened:
        # The next look at them would hear what they asked for in the run that is over. Nobody hears a stranger, and it
        # may belong to a newer Rendezvous of this name.
        askers = (one for one in (*expulsions, *beside) if one.member.close_requested)
        first += tuple(one for one in askers if one not in first and belongs_to(one.member, rendezvous))
    return Decision(
        status=status,
        expel_first=first,
        expel_after=tuple(one for one in expulsions if one not in first),
        expel_beside=tuple(one for one in beside if one not in first),
        opens=closing.reopened,
        announcements=tuple(_announcements(before, status, closing, liveness, formation, blame)),
        wake_after=_earliest(
            _wake_after(status, liveness, bool(surroundings.pods or surroundings.owner_refs), now),
            damping.ends_in(crowd.damped, now),
            _shrinks_in(rendezvous.spec.heartbeat_seconds, before.heartbeat_seconds, interval, number, budget),
            questions.more_in,
            answers_due_in(rendezvous, liveness, surroundings, now),
        ),
        verdict=describe(status),
        doubtful_losses=tuple(
            loss.name
            for loss in ranked_losses
            if loss.member is None and closing.closed is None and (formation.chosen or not told_before)
        ),
        eviction_answers=eviction_answers(rendezvous, status, liveness, surroundings, now),
        suspects=liveness.suspects,
        owners_to_read=_owners_to_read(rendezvous, crowd, formation, impossible, surroundings),
        reads_slices=all(m.reads_slices for m in formation.chosen or _ranked(before, liveness)),
        doubtful_closing=closing.closed != before.closed and not rendezvous.spec.closed,
        doubtful_spares=_tells_for_spares(status) and not told_before,
    )


def _tells_for_spares(status: RendezvousStatus) -> bool:
    forming = status.forming
    return forming is not None and forming.interrupts and forming.reason in (GROWTH, DEVICE_UNHEALTHY)


def _ranked(before: RendezvousStatus, liveness: Liveness) -> Iterable[Member]:
    return (liveness.alive[name] for name in before.ranks if name in liveness.alive)


def _outsiders(liveness: Liveness, surroundings: Surroundings) -> int:
    return sum(1 for member in liveness.present if member.pod_uid not in surroundings.pods)


def _owners_to_read(
    rendezvous: Rendezvous, crowd: Crowd, formation: Formation, impossible: str, surroundings: Surroundings
) -> tuple[OwnerRef, ...]:
    """What made the pods, if the decision rests on that it makes no more of them, or is the first under this spec; and
    their groups, if it is that or a round, or something is the matter with one."""
    before, forming = rendezvous.status, formation.forming
    news = before.observed_generation != rendezvous.generation
    groups = (unread_groups if formation.chosen or news else groups_in_question)(surroundings)
    told_before = before.forming is not None and before.forming.interrupts
    grows = forming is not None and forming.reason == GROWTH and forming.interrupts and not told_before
    first = bool(formation.chosen) and not crowd.old
    if first or grows or impossible or news:
        return (*unread_owners(surroundings), *groups)
    return groups


def _comings(
    before: RendezvousStatus, after: RendezvousStatus, crowd: Crowd, formation: Formation, now: datetime
) -> tuple[Coming, ...]:
    """With who made a round necessary by coming, beside members of an old round or by joining again unasked, and with
    who was waited for in vain."""
    told_before = before.forming is not None and before.forming.interrupts
    published = after.round > before.round
    reason = after.history[0].reason if published else after.forming.reason if after.forming else ""
    restarted = (*crowd.arrived, *crowd.left_out) if reason == RESTARTED and not told_before else ()
    ranked = set(before.ranks)
    newcomers = (m for m in formation.chosen if published and crowd.old and m.name not in ranked)
    return record_comings(before.comings, (*restarted, *newcomers), crowd.running if published else (), now)


def _new_status(
    rendezvous: Rendezvous,
    closing: Closing,
    formation: Formation,
    crowd: Crowd,
    blame: Blame,
    topology: Topology,
    surroundings: Surroundings,
    interval: int,
    refused: tuple[RefusedMember, ...],
    now: datetime,
) -> RendezvousStatus:
    before = rendezvous.status
    status = replace(
        before,
        observed_generation=rendezvous.generation,
        forming=formation.forming,
        closed=closing.closed,
        heartbeat_seconds=interval,
        opened_after=before.round if closing.reopened else before.opened_after,
        recent_losses=blame.losses,
        quarantined=blame.quarantined,
        refused=refused,
    )
    if formation.forming is not None and formation.chosen:
        status = _publish(rendezvous, status, formation.forming, formation.chosen, topology, surroundings, now)
    standby, state = _standby(rendezvous, status, crowd), state_of(status.closed, status.forming)
    return replace(status, state=state, standby=standby.count, spares=standby.spares, surplus=standby.surplus)


def _standby(rendezvous: Rendezvous, status: RendezvousStatus, crowd: Crowd) -> Standby:
    if status.round == 0 or status.closed is not None:
        return Standby()
    ranked = set(status.ranks)
    unranked = [member for member in (*crowd.arrived, *crowd.newcomers) if member.name not in ranked]
    free = max(0, WorldSizes.of(rendezvous.spec).full - status.world_size)
    interrupted = status.forming is not None and status.forming.interrupts
    return settle_standby(unranked, free, rendezvous.spec.max_spares, interrupted)


def _topology(rendezvous: Rendezvous, liveness: Liveness, surroundings: Surroundings) -> Topology:
    """Where the members run, as far as `spec.ranking` or their PodGroup asks."""
    ranking, status = followed(rendezvous.spec.ranking, surroundings), rendezvous.status
    if surroundings.nodes is None or ranking == Ranking():
        return Topology.of(ranking, {}, status.domains, status.ranks)
    names = {member.node_name for member in liveness.present}
    labels = {name: surroundings.nodes[name].labels for name in names if name in surroundings.nodes}
    return Topology.of(ranking, labels, status.domains, status.ranks)


def _publish(
    rendezvous: Rendezvous,
    status: RendezvousStatus,
    forming: Forming,
    chosen: Sequence[Member],
    topology: Topology,
    surroundings: Surroundings,
    now: datetime,
) -> RendezvousStatus:
    """Ranks, world size, bootstrap address and round number change together, in one write. Whether the names go into
    slices (`slicing`) is settled when it is written."""
    members = assign_ranks(status.ranks, status.slots, chosen, topology)
    ranks = tuple(m.name for m in members)
    first = members[0]
    forming = replace(forming, round=round_number(forming, chosen))
    return replace(
        status,
        round=forming.round,
        sliced=None,
        ranks=ranks,
        slots=tuple(m.slot for m in members),
        incarnations=tuple(m.incarnation for m in members),
        domains=topology.domains(members),
        bootstrap_store=BootstrapStore(first.name, store_address(rendezvous, first, surroundings), first.port),
        forming=None,
        history=record_round(status, forming, ranks, now),
    )


def _expulsions(
    before: RendezvousStatus, liveness: Liveness, crowd: Crowd, formation: Formation
) -> Iterable[Expulsion]:
    """Whose Member object goes: the lost with a rank, and those of the old round that a new one was published without.

    One of those that has arrived in time is a spare from now on and keeps its object: only of one that may still
    run its old workers must nobody believe that it waits.
    """
    for loss in liveness.losses:
        if loss.member is not None and not loss.gone and loss.name in before.ranks:
            yield Expulsion(loss.member, loss.reason, loss.doubtful, loss.message)
    if formation.chosen:
        departing = [d.member for d in liveness.departing if d.member is not None and d.name in before.ranks]
        for member in (*crowd.running, *(m for m in departing if m.after_round < before.round)):
            why = f"{member.name} had not joined again when the round was formed"
            yield Expulsion(member, NOT_ARRIVED, doubtful=False, why=why)


def _expulsions_beside(before: RendezvousStatus, liveness: Liveness) -> Iterable[Expulsion]:
    """Whose object goes without anybody's waiting for it."""
    for loss in liveness.losses:
        if loss.member is not None and not loss.gone and loss.name not in before.ranks:
            yield Expulsion(loss.member, loss.reason, loss.doubtful)
    for stranger in liveness.strangers:
        yield Expulsion(stranger, LEFT if went_undecided(stranger) else OTHER_RENDEZVOUS, doubtful=False)
    yield from (Expulsion(namesake, NAME_TAKEN, doubtful=False) for namesake in liveness.namesakes)
    yield from (Expulsion(member, NOT_ADMITTED, doubtful=False, why=why) for member, why in liveness.not_admitted)


def _announcements(
    before: RendezvousStatus,
    after: RendezvousStatus,
    closing: Closing,
    liveness: Liveness,
    formation: Formation,
    blame: Blame,
) -> Iterable[Announcement]:
    yield from closing.announcements
    if closing.closed is None:
        for loss in _news(before, liveness):
            severity = Severity.NORMAL if loss.reason == LEFT else Severity.WARNING
            yield Announcement(severity, loss.reason, loss.message)
    if formation.chosen and after.bootstrap_store is not None:
        store = after.bootstrap_store
        text = f"Round {after.round} stands with {nodes(after.world_size)}, rank 0 is {store.member}"
        yield Announcement(Severity.NORMAL, "RoundFormed", f"{text} ({after.history[0].reason})")
    for one in after.refused:
        if one not in before.refused:
            yield Announcement(Severity.WARNING, REFUSED, one.message)
    for place in blame.news:
        yield Announcement(Severity.WARNING, "Quarantined", place.message)
    stalled = newly_true(STALLED, before.conditions, after.conditions)
    if stalled is not None:
        yield Announcement(Severity.WARNING, "Stalled", stalled.message)
    blind = newly_true(TOPOLOGY_UNKNOWN, before.conditions, after.conditions)
    if blind is not None:
        yield Announcement(Severity.WARNING, TOPOLOGY_UNKNOWN, blind.message)


def _news(before: RendezvousStatus, liveness: Liveness) -> Iterable[Loss]:
    """Losses of ranked members that were not announced yet. One whose object goes is seen once; a departing member,
    or a name without an object, again and again: those are news only while nobody has been told to stop."""
    told = before.forming is not None and before.forming.interrupts
    yield from (loss for loss in liveness.losses if loss.name in before.ranks and (loss.member or not told))
    yield from (loss for loss in liveness.departing if loss.name in before.ranks and not told)


def _shrinks_in(wished: int, published: int, interval: int, number: int, budget: HeartbeatBudget) -> float | None:
    """Seconds until the interval may become shorter, if it wants to."""
    if number == 0 or not wants_to_shrink(wished, interval, number, budget):
        return None
    held = budget if interval == published else replace(budget, held_for=0.0)
    return max(0.1, seconds_until_it_may_shrink(interval, held))


def _earliest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _wake_after(status: RendezvousStatus, liveness: Liveness, pods_known: bool, now: datetime) -> float | None:
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
            grace = seconds_of_grace(forming, now)
            if pods_known and grace > 0:
                moments.append(grace)
    return max(0.0, min(moments)) if moments else None
