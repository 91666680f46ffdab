"""What the demonstration measures, from what was observed alone: no clock and no process in here."""

from collections.abc import Sequence
from dataclasses import dataclass

from kube_rendezvous.resources import Rendezvous
from rendezvous_demo.observation import Seen
from rendezvous_demo.training_log import Endpoint, Step

SILENT_INTERVALS = 3
TOLD_SECONDS = 2.0


@dataclass(frozen=True)
class Loss:
    """A node that was killed.

    Attributes:
        node: Its name.
        member: Its Member's.
        round: The round that ran.
        at: Moment of the SIGKILL, seconds on the monotonic clock.
        clock_at: The same moment in seconds since 1970, as the workers note their steps.
        deleted: Its Member was deleted too, so that nobody has to wait for its heartbeat.
    """

    node: str
    member: str
    round: int
    at: float
    clock_at: float
    deleted: bool = False


@dataclass(frozen=True)
class LossMeasured:
    """What came of a loss. Times are in seconds from the kill; None: it did not happen.

    Attributes:
        loss: What was done.
        rank: The rank that was lost.
        reason: Why the object says that it forms another round, as one word and as a sentence.
        said_after: Until the object told its members to join again.
        told_after: Until a survivor ran nothing of the round any more and had joined again, by Member.
        stood_after: Until the next round was published.
        moved: Ranks below the new world size that have another holder than before.
        world_size: Of the next round.
    """

    loss: Loss
    rank: int
    reason: str
    message: str
    said_after: float | None
    told_after: dict[str, float | None]
    stood_after: float | None
    moved: tuple[int, ...]
    world_size: int

    @property
    def all_told_after(self) -> float | None:
        """Until the last survivor was told; None if one was not."""
        times = [after for after in self.told_after.values() if after is not None]
        return max(times) if times and len(times) == len(self.told_after) else None


@dataclass(frozen=True)
class GrowthMeasured:
    """What came of a newcomer.

    Attributes:
        member: The newcomer.
        round: The first with it; 0 if there was none.
        rank: Its rank in there.
        moved: Ranks that have another holder than in the round before, or had none.
        stood_after: Seconds from its Member's creation, as seen, to that round.
        world_size: Of that round.
    """

    member: str
    round: int
    rank: int | None
    moved: tuple[int, ...]
    stood_after: float | None
    world_size: int


def moved_ranks(before: Sequence[str], after: Sequence[str]) -> tuple[int, ...]:
    """The ranks of a round whose holder is another than in the round before.

    Args:
        before, after: Names of the members; index = rank.
    """
    return tuple(rank for rank, name in enumerate(after) if rank >= len(before) or before[rank] != name)


def told_limit(loss: Loss, heartbeat_seconds: int) -> float:
    """Within how many seconds of the kill every survivor must have been told."""
    return TOLD_SECONDS if loss.deleted else SILENT_INTERVALS * heartbeat_seconds + TOLD_SECONDS


def measure_loss(loss: Loss, seen: Seen) -> LossMeasured:
    """Measure what came of a loss.

    Args:
        loss: What was done; its round must have been seen.
        seen: Everything up to now.
    """
    before = seen.rounds[loss.round].rendezvous.status.ranks
    said = next((s for s in seen.rendezvous if s.at >= loss.at and _tells(s.rendezvous, loss.round)), None)
    next_round = seen.rounds.get(loss.round + 1)
    ranks = next_round.rendezvous.status.ranks if next_round else ()
    reason, message = _why(said.rendezvous if said else None, loss.round + 1)
    return LossMeasured(
        loss=loss,
        rank=before.index(loss.member),
        reason=reason,
        message=message,
        said_after=said.at - loss.at if said else None,
        told_after={name: _rejoined_after(name, loss, seen) for name in before if name != loss.member},
        stood_after=next_round.at - loss.at if next_round else None,
        moved=moved_ranks(before, ranks),
        world_size=len(ranks),
    )


def measure_growth(member: str, seen: Seen) -> GrowthMeasured:
    """Measure what came of a newcomer whose Member has this name."""
    arrived = next((s.at for s in seen.members if s.member.name == member), None)
    for number, shown in seen.rounds.items():
        ranks = shown.rendezvous.status.ranks
        before = seen.rounds.get(number - 1)
        if member in ranks and before is not None and arrived is not None:
            moved = moved_ranks(before.rendezvous.status.ranks, ranks)
            return GrowthMeasured(member, number, ranks.index(member), moved, shown.at - arrived, len(ranks))
    return GrowthMeasured(member, 0, None, (), None, 0)


def store_endpoint(rendezvous: Rendezvous) -> Endpoint | None:
    """Where the workers of the newest round meet, according to the object."""
    store = rendezvous.status.bootstrap_store
    return (store.address, store.port) if store else None


def workers_at(steps: Sequence[Step], master: Endpoint | None) -> int:
    """How many workers trained in the round whose workers meet at `master`."""
    return len({step.pid for step in steps if step.master == master})


def wrong_masters(steps: Sequence[Step], seen: Seen) -> list[str]:
    """A sentence for each worker whose MASTER_ADDR:MASTER_PORT is not that of its round's rank 0, or is outdated.

    Workers append to one file: once the first step of a round is in it, steps of an earlier one must not follow.
    """
    rounds = {store_endpoint(shown.rendezvous): (number, shown.rendezvous) for number, shown in seen.rounds.items()}
    wrong: dict[int, str] = {}
    newest = 0
    for step in steps:
        where = f"worker {step.pid} (rank {step.rank}) met at {step.master[0]}:{step.master[1]}"
        number, rendezvous = rounds.get(step.master, (0, None))
        if rendezvous is None:
            wrong.setdefault(step.pid, f"{where}, which no round's rank 0 served")
            continue
        newest = max(newest, number)
        store = rendezvous.status.bootstrap_store
        if number < newest:
            wrong.setdefault(step.pid, f"{where}, of round {number}, after round {newest} had begun to train")
        elif store is not None and store.member != rendezvous.status.ranks[0]:
            wrong.setdefault(step.pid, f"{where}, served by {store.member}, which is not rank 0 of round {number}")
    return list(wrong.values())


def _tells(rendezvous: Rendezvous, round_lost: int) -> bool:
    """Whether the object tells the members of that round to join again."""
    status = rendezvous.status
    return status.round > round_lost or (status.forming is not None and status.forming.interrupts)


def _why(rendezvous: Rendezvous | None, number: int) -> tuple[str, str]:
    if rendezvous is None:
        return "", ""
    forming = rendezvous.status.forming
    if forming is not None and forming.round == number:
        return forming.reason, forming.message
    past = next((past for past in rendezvous.status.history if past.round == number), None)
    return (past.reason, past.message) if past else ("", "")


def _rejoined_after(member: str, loss: Loss, seen: Seen) -> float | None:
    """The PATCH of a re-join is sent when the node was told, and its workers are stopped or have left the round."""
    for shown in seen.members:
        if shown.member.name == member and shown.member.after_round >= loss.round:
            return shown.at - loss.at
    return None
