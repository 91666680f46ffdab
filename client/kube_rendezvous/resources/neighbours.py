"""Which members watch which: client and operator must agree, so that nobody can accuse more than his own neighbours.

Ranks lie in circles, in each of which a member watches the next two. So two watch each, and one that hangs beside
another is still seen. Ranks follow the topology: a cut between two racks goes through few circles.
"""

from kube_rendezvous.resources.member import Member

CIRCLE_SIZE = 32
"""Ranks; the last circle takes what is left over, too."""

WATCHED_AHEAD = 2

WRITES_PER_SECOND = 100
"""Heartbeats of all members that the operator aims at: a rendezvous for more can have a longer interval than wished."""


def watched_by(rank: int, world_size: int) -> tuple[int, ...]:
    """The ranks that the member with this rank watches: none or one where there are no more."""
    circles = max(1, world_size // CIRCLE_SIZE)
    circle = min(rank // CIRCLE_SIZE, circles - 1)
    first = circle * CIRCLE_SIZE
    size = CIRCLE_SIZE if circle < circles - 1 else world_size - first
    ahead = range(1, min(WATCHED_AHEAD, size - 1) + 1)
    return tuple(first + (rank - first + step) % size for step in ahead)


def may_need_watching(max_nodes: int, heartbeat_seconds: int) -> bool:
    """Whether so many members can make the heartbeat interval longer than the spec wishes."""
    return max_nodes > WRITES_PER_SECOND * heartbeat_seconds


def may_still_say(member: Member) -> bool:
    """Whether it may yet say where its neighbours can ask: the write with which it says what it belongs to says this,
    too."""
    return not member.watch_port and not member.rendezvous_uid
