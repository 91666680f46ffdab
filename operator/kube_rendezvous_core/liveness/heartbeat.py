"""How often members renew, and when silence means loss.

Design: all members together write at most ~100 heartbeats a second; a member is lost when no heartbeat was
received for three intervals. The last of them counts only if the API server has been seen to serve at its beginning:
an etcd that is away for ten minutes cuts no watch, and yet nobody can be heard.

An interval follows the rendezvous' own members; members of others at most double it (`heartbeat_shares`). It grows at
once and shrinks by halves, each of which has been in force for twice its length: a member that has just begun the old
pause sleeps it out, and is heard again before three new intervals are over. No memory is needed for that: an operator
that has just started holds every interval for new.
"""

import math
from dataclasses import dataclass

MAX_HEARTBEATS_PER_SECOND = 100
MISSED_HEARTBEATS = 3

_SHRINK_BELOW = 0.8  # of the limit: members coming and going near a border must not rewrite every status
_OTHERS_MAKE_IT = 2  # times as long, at the most
_HELD_FOR = 2  # intervals, before it shrinks


@dataclass(frozen=True, slots=True)
class HeartbeatBudget:
    """What only the observer of all rendezvous can know.

    Args:
        share: heartbeats a second that this rendezvous may count with.
        held_for: seconds for which the published interval has been in force, as far as the observer saw.
    """

    share: float = MAX_HEARTBEATS_PER_SECOND
    held_for: float = math.inf


ALL_FOR_ITSELF = HeartbeatBudget()


def heartbeat_interval(
    wished_seconds: int, published_seconds: int, members: int, budget: HeartbeatBudget = ALL_FOR_ITSELF
) -> int:
    """Seconds between two heartbeats of a member: the wish, doubled until the cluster can bear it.

    Args:
        wished_seconds: `spec.heartbeatSeconds`.
        published_seconds: `status.heartbeatSeconds` so far, 0 if none.
        members: of this rendezvous.
        budget: what it may count with.
    """
    interval = _wanted(wished_seconds, members, budget, 1.0)
    if interval >= published_seconds:
        return interval
    aim = min(published_seconds, _wanted(wished_seconds, members, budget, _SHRINK_BELOW))
    if seconds_until_it_may_shrink(published_seconds, budget) > 0:
        return published_seconds
    return max(aim, math.ceil(published_seconds / 2))


def wants_to_shrink(wished_seconds: int, published_seconds: int, members: int, budget: HeartbeatBudget) -> bool:
    """Whether the published interval is longer than it need be."""
    return _wanted(wished_seconds, members, budget, _SHRINK_BELOW) < published_seconds


def seconds_until_it_may_shrink(published_seconds: int, budget: HeartbeatBudget) -> float:
    """0 or less: now."""
    return _HELD_FOR * published_seconds - budget.held_for


def suspicion_limit(interval_seconds: int) -> float:
    """Seconds of silence after which it must be proven that the API server serves."""
    return float((MISSED_HEARTBEATS - 1) * interval_seconds)


def proof_needed(interval_seconds: int) -> float:
    """Seconds of silence after that proof without which nobody is lost: time for one heartbeat to get through."""
    return float(interval_seconds)


def missed_one(interval_seconds: int) -> float:
    """Seconds of silence after which a member has missed a heartbeat: enough only where something else speaks, too."""
    return 1.5 * interval_seconds


def silence_limit(interval_seconds: int) -> float:
    """Seconds of silence after which a member is lost."""
    return float(MISSED_HEARTBEATS * interval_seconds)


def _wanted(seconds: int, members: int, budget: HeartbeatBudget, caution: float) -> int:
    own = _bearable(seconds, members, MAX_HEARTBEATS_PER_SECOND * caution)
    share = max(budget.share, 0.001) * caution
    return min(max(own, _bearable(seconds, members, share)), _OTHERS_MAKE_IT * own)


def _bearable(seconds: int, members: int, per_second: float) -> int:
    while members > per_second * seconds:
        seconds *= 2
    return seconds
