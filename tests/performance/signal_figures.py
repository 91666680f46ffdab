"""How soon survivors are told of what the cluster says: figures and judgement."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from performance.figures import THRESHOLDS, Verdict


@dataclass(frozen=True)
class Told:
    """From the API object's change until every survivor is told, each time, in seconds."""

    signal: str
    seconds: Sequence[float]


def told_limit(file: Path = THRESHOLDS) -> float:
    """What the median may be, in seconds."""
    return float(json.loads(file.read_text())["signals"]["told_median_seconds"])


def judge_signals(measured: Sequence[Told], limit: float) -> Iterator[Verdict]:
    """Compare the medians with what is good enough."""
    for one in measured:
        yield Verdict(
            f"{one.signal} -> every survivor told: median of {len(one.seconds)}, s",
            statistics.median(one.seconds),
            limit,
        )


def signals_as_json(measured: Sequence[Told]) -> dict[str, Any]:
    """Everything, for programs. Times in seconds."""
    return {
        one.signal: {"median": statistics.median(one.seconds), "worst": max(one.seconds), "all": list(one.seconds)}
        for one in measured
    }
