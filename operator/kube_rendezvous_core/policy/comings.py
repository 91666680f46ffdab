"""How often one pod may make rounds necessary before the others go on without it for a while.

Every round interrupts everybody. A pod that joins beside a running round and goes, or joins again and again because its
workers fail, costs all others two rounds each time; without a bound one crash loop, or one neighbour in the namespace,
keeps a run from training at all. So the first times within `WINDOW_SECONDS` of each other cost it nothing; from the
third on it waits before it may come again, 5 s at first and twice as long each time, up to five minutes. One that was
waited for in vain has cost more than a round, and counts for more. A round that cannot do without it takes it at once:
nobody trains meanwhile. Nor does it lose a place that it has: one that stops because it was told to has done nothing,
and without it the next round would be formed for nothing. kubelet's back-off for a container that crashes is the model.

What counts is the coming: however a member goes, it has to come again to do harm. It is counted by the pod, which the
token proves; members outside pods are somebody's own processes and are not counted. A pod that was made anew is
another.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kube_rendezvous.resources import Member, RendezvousStatus
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous_core.conditions import Notice

COMES_AND_GOES = "ComesAndGoes"
RESTARTED = "MemberRestarted"
"""Reason of a round that is formed because a member of the one before joined again unasked."""
FREE = 3
WINDOW_SECONDS = 600
FIRST_WAIT_SECONDS = 5
LONGEST_WAIT_SECONDS = 300
NOT_ARRIVED_COUNTS = 4
"""Times, for a member whose rejoining was waited for in vain: the next wait is longer than the one that it cost."""
COMINGS_KEPT = 16
_NAMED = 5


def wait_seconds(times: int) -> int:
    """How long after its last coming a pod waits for the next, if it has come so often."""
    if times < FREE:
        return 0
    return int(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(times - FREE, 10)))


@dataclass(frozen=True, slots=True)
class Damping:
    """Which members wait for having come too often.

    Args:
        until: when the wait of a pod ends, by its UID.
        ranked: members of the current round.
        to_blame: those of them, by pod, that made the round in the making necessary by joining again unasked; None:
            nobody has been told to stop yet, so that whoever joins again does so unasked.
        round: the current one.
    """

    until: dict[str, datetime]
    ranked: frozenset[str]
    to_blame: frozenset[str] | None
    round: int

    @classmethod
    def of(cls, status: RendezvousStatus, now: datetime) -> "Damping":
        ends = {one.pod_uid: one.at + timedelta(seconds=wait_seconds(one.times)) for one in status.comings}
        until = {pod: end for pod, end in ends.items() if end > now}
        return cls(until, frozenset(status.ranks), _to_blame(status), status.round)

    def holds(self, member: Member) -> bool:
        """Whether the member has to wait."""
        if member.pod_uid not in self.until:
            return False
        if member.name not in self.ranked:
            return True
        if self.to_blame is None:
            return member.after_round == self.round
        return member.pod_uid in self.to_blame

    def ends_in(self, members: Iterable[Member], now: datetime) -> float | None:
        """Seconds until the first of these members need not wait any more; None: none does."""
        ends = [self.until[member.pod_uid] for member in members if self.holds(member)]
        return (min(ends) - now).total_seconds() if ends else None


def _to_blame(status: RendezvousStatus) -> frozenset[str] | None:
    forming = status.forming
    if forming is None or not forming.interrupts:
        return None
    # Whoever joined again unasked was recorded at the moment in which the others were told.
    unasked = forming.reason == RESTARTED
    return frozenset(one.pod_uid for one in status.comings if unasked and one.at >= forming.since)


def record_comings(
    before: tuple[Coming, ...], came: Iterable[Member], not_arrived: Iterable[Member], now: datetime
) -> tuple[Coming, ...]:
    """The record after these members came; as before if none of them is in a pod.

    Args:
        before: the record so far.
        came: members that came into a round beside a running one, or made a new one necessary by joining again.
        not_arrived: members of the old round that a new one was formed without, after the time to join again.
        now: wall clock, UTC.
    """
    pods = {member.pod_uid: (member, 1) for member in came if member.pod_uid}
    pods |= {member.pod_uid: (member, NOT_ARRIVED_COUNTS) for member in not_arrived if member.pod_uid}
    if not pods:
        return before
    known = {one.pod_uid: one for one in before if now - one.at <= timedelta(seconds=WINDOW_SECONDS)}
    news = [
        Coming(pod, member.name, (known[pod].times if pod in known else 0) + times, now)
        for pod, (member, times) in sorted(pods.items())
    ]
    merged = [*news, *(one for pod, one in known.items() if pod not in pods)]
    # Many that come once must not make one that comes all the time forgotten.
    return tuple(sorted(merged, key=lambda one: -one.times)[:COMINGS_KEPT])


def comes_and_goes(waiting: Collection[Member], damping: Damping) -> Notice:
    """The condition that names the members that wait for this reason."""
    named = ", ".join(
        f"{member.name} until {damping.until[member.pod_uid]:%H:%M:%S} UTC"
        for member in sorted(waiting, key=lambda m: m.name)[:_NAMED]
    )
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return Notice(
        COMES_AND_GOES,
        holds=bool(waiting),
        reason="TooOften",
        message=(
            f"Each time these pods came or joined again it cost everybody a round; they wait: {named}{more}. Look at "
            "their logs; a pod that is deleted and made anew does not wait."
        ),
        over_reason="NobodyWaits",
        over_message="No pod is kept waiting for having come too often.",
    )
