"""How old heartbeats are, as a reader outside the cluster can tell."""

from collections.abc import Iterable
from datetime import datetime

from kube_rendezvous.resources import Member, Rendezvous
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core.liveness.heartbeat import silence_limit


def renewed_at(member: Member) -> datetime | None:
    """When the member says that it sent its newest heartbeat; None if it does not say it in a readable way."""
    try:
        return parse_time(member.renew_time)
    except ValueError:
        return None


def heartbeat_age(member: Member, now: datetime) -> float | None:
    """Seconds since the newest heartbeat, by the member's clock and ours; None if nobody knows."""
    renewed = renewed_at(member)
    return None if renewed is None else max(0.0, (now - renewed).total_seconds())


def is_fresh(member: Member, rendezvous: Rendezvous, now: datetime) -> bool:
    """Whether the member's newest heartbeat is not older than the operator would bear."""
    age = heartbeat_age(member, now)
    return age is not None and age < limit_of(rendezvous)


def limit_of(rendezvous: Rendezvous) -> float:
    """Seconds of silence after which a member of this Rendezvous is lost."""
    return silence_limit(max(rendezvous.spec.heartbeat_seconds, rendezvous.status.heartbeat_seconds))


def not_before_heartbeats(now: datetime, members: Iterable[Member]) -> datetime:
    """Our clock, unless a heartbeat proves that it is behind the cluster's."""
    return max([now, *filter(None, map(renewed_at, members))])
