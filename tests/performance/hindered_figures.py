"""How long pods that cannot come hold others up: figures and judgement."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from performance.figures import THRESHOLDS, Verdict


@dataclass(frozen=True)
class HinderedThresholds:
    """What is good enough, in seconds.

    Args:
        again_median: from the loss being told until the survivors have their next round.
        first_worst: from the last one that can come having joined until all have the first round.
    """

    again_median: float
    first_worst: float

    @classmethod
    def read(cls, file: Path = THRESHOLDS) -> "HinderedThresholds":
        """Read them from their file."""
        limits = json.loads(file.read_text())["hindered"]
        return cls(limits["again_median_seconds"], limits["first_round_worst_seconds"])


@dataclass(frozen=True)
class Hindered:
    """What was measured beside such pods, each time, in seconds; see `performance.hindered`.

    Args:
        way: what keeps them.
        first: for the first round.
        again: for the survivors' round.
    """

    way: str
    first: Sequence[float]
    again: Sequence[float]


def judge_hindered(measured: Sequence[Hindered], thresholds: HinderedThresholds) -> Iterator[Verdict]:
    """Compare what was measured with what is good enough."""
    for one in measured:
        beside = f"beside pods that are {one.way}"
        again = statistics.median(one.again)
        yield Verdict(f"told -> survivors' round {beside}: median, s", again, thresholds.again_median)
        count = len(one.first)
        yield Verdict(
            f"last joined -> first round {beside}: worst of {count}, s", max(one.first), thresholds.first_worst
        )


def hindered_as_json(measured: Sequence[Hindered]) -> dict[str, Any]:
    """Everything, for programs. Times in seconds."""
    return {
        one.way: {
            "firstRound": {"median": statistics.median(one.first), "worst": max(one.first), "all": list(one.first)},
            "again": {"median": statistics.median(one.again), "worst": max(one.again), "all": list(one.again)},
        }
        for one in measured
    }
