"""How often members renew, and when silence means loss.

Design: all members together write at most ~100 heartbeats a second; a member is lost when no heartbeat was
received for three intervals. The last of them counts only if the API server has been seen to serve at its beginning:
an etcd that is away for ten minutes cuts no watch, and yet nobody can be heard.
"""

MAX_HEARTBEATS_PER_SECOND = 100
MISSED_HEARTBEATS = 3

_SHRINK_BELOW = 0.8  # of the limit: members coming and going near a border must not rewrite every status


def heartbeat_interval(wished_seconds: int, published_seconds: int, members_in_cluster: int) -> int:
    """Seconds between two heartbeats of a member: the wish, doubled until the cluster can bear it.

    Args:
        wished_seconds: `spec.heartbeatSeconds`.
        published_seconds: `status.heartbeatSeconds` so far, 0 if none.
        members_in_cluster: how many members share the API server.
    """
    interval = _bearable(wished_seconds, members_in_cluster, MAX_HEARTBEATS_PER_SECOND)
    if interval < published_seconds:
        cautious = _bearable(wished_seconds, members_in_cluster, MAX_HEARTBEATS_PER_SECOND * _SHRINK_BELOW)
        return min(published_seconds, cautious)
    return interval


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


def _bearable(seconds: int, members: int, per_second: float) -> int:
    while members > per_second * seconds:
        seconds *= 2
    return seconds
