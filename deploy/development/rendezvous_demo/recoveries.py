"""What the loss of rank 0 cost the training, for each way to go on: from what was seen and what was trained alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from rendezvous_demo.measurements import LossMeasured, store_endpoint
from rendezvous_demo.observation import Seen
from rendezvous_demo.training_log import Step


@dataclass(frozen=True)
class Recovery:
    """What came of a kill. Times are in seconds from it; None: it did not happen.

    Attributes:
        way: How survivors go on, in words.
        told_after: Until every survivor had been told and had joined again.
        stood_after: Until the next round was published.
        stepped_after: Until every survivor had done an optimizer step in it.
        pids_before: Processes of the survivors, in the order of their ranks then.
        pids_after: Processes of the next round, in the order of their ranks there.
        steps_undone: How many steps that a survivor had done were done again.
    """

    way: str
    told_after: float | None
    stood_after: float | None
    stepped_after: float | None
    pids_before: tuple[int, ...]
    pids_after: tuple[int, ...]
    steps_undone: int | None

    @property
    def restarted(self) -> int:
        """How many processes of the next round are not those of before."""
        return len(set(self.pids_after) - set(self.pids_before))


def measure_recovery(way: str, measured: LossMeasured, seen: Seen, steps: Sequence[Step]) -> Recovery:
    """Measure what a loss cost.

    Args:
        way: See `Recovery`.
        measured: What the API server showed of the loss.
        seen: Everything that was observed.
        steps: Everything that was trained.
    """
    number = measured.loss.round
    survivors = [step for step in _steps_in(number, seen, steps) if step.rank != measured.rank]
    after = _steps_in(number + 1, seen, steps)
    first = {step.rank: step.at for step in reversed(after)}
    all_stepped = 0 < len(first) == measured.world_size
    return Recovery(
        way=way,
        told_after=measured.all_told_after,
        stood_after=measured.stood_after,
        stepped_after=max(first.values()) - measured.loss.clock_at if all_stepped else None,
        pids_before=_pids(survivors),
        pids_after=_pids(after),
        steps_undone=_undone(survivors, after) if survivors and after else None,
    )


def share(surviving: Recovery, restarting: Recovery) -> float | None:
    """The time until the next step that the one way takes, as a share of the other's; None: one took no step."""
    if surviving.stepped_after is None or not restarting.stepped_after:
        return None
    return surviving.stepped_after / restarting.stepped_after


def _steps_in(number: int, seen: Seen, steps: Sequence[Step]) -> list[Step]:
    shown = seen.rounds.get(number)
    master = store_endpoint(shown.rendezvous) if shown else None
    return [step for step in steps if master is not None and step.master == master]


def _pids(steps: Sequence[Step]) -> tuple[int, ...]:
    by_rank = {step.rank: step.pid for step in steps}
    return tuple(by_rank[rank] for rank in sorted(by_rank))


def _undone(before: Sequence[Step], after: Sequence[Step]) -> int:
    done = max(step.position for step in before) + 1
    return max(0, done - min(step.position for step in after))
