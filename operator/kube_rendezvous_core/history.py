"""The newest rounds, for people: number, why, size, who came, who went, how long it took."""

from collections.abc import Sequence
from datetime import datetime

from kube_rendezvous.resources import Forming, PastRound, RendezvousStatus
from kube_rendezvous_core.ranking.ranking import moved_ranks

ROUNDS_KEPT = 10
NAMES_KEPT = 10


def record_round(
    status: RendezvousStatus, forming: Forming, ranks: Sequence[str], now: datetime
) -> tuple[PastRound, ...]:
    """The history with the round that is formed now, newest first.

    Args:
        status: before the round.
        forming: what led to it.
        ranks: of the new round.
        now: when it was formed, wall clock, UTC.
    """
    before, after = set(status.ranks), set(ranks)
    joined = tuple(name for name in ranks if name not in before)
    left = tuple(name for name in status.ranks if name not in after)
    newest = PastRound(
        round=forming.round,
        reason=forming.reason,
        message=forming.message,
        world_size=len(ranks),
        joined=joined[:NAMES_KEPT],
        joined_count=len(joined),
        left=left[:NAMES_KEPT],
        left_count=len(left),
        moved_ranks=moved_ranks(status.ranks, ranks),
        formed_at=now,
        forming_seconds=round(max(0.0, (now - forming.since).total_seconds()), 3),
    )
    return (newest, *status.history)[:ROUNDS_KEPT]
