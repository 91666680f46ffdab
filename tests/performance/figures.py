"""What the benchmark found, and whether it is good enough."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THRESHOLDS = Path(__file__).with_name("thresholds.json")


@dataclass(frozen=True)
class Thresholds:
    """What is good enough. Times in seconds.

    Args:
        told_median, told_worst: from the forced deletion of a pod until every survivor is told.
        whole_share, last_share: the largest share of c10d's time that a storm may take; see `Storm`.
        from_nodes: the smallest storm that is held to that.
    """

    told_median: float
    told_worst: float
    whole_share: float
    last_share: float
    from_nodes: int

    @classmethod
    def read(cls, file: Path = THRESHOLDS) -> "Thresholds":
        """Read them from their file."""
        limits = json.loads(file.read_text())
        told, storm = limits["told"], limits["storm"]
        return cls(
            told_median=told["median_seconds"],
            told_worst=told["worst_seconds"],
            whole_share=storm["whole_share_of_c10d"],
            last_share=storm["last_joiner_share_of_c10d"],
            from_nodes=storm["from_nodes"],
        )


@dataclass(frozen=True)
class Told:
    """How long it took until every survivor was told, each time.

    Args:
        survivors: how many there were.
        seconds: until the last of them was told, each time.
        c10d_limit: how long was waited for c10d to tell its survivors.
        c10d_told: how many it told in that time; None: not measured.
        c10d_survivors: how many there were.
    """

    survivors: int
    seconds: Sequence[float]
    c10d_limit: float = 0.0
    c10d_told: int | None = None
    c10d_survivors: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def worst(self) -> float:
        return max(self.seconds)


@dataclass(frozen=True)
class Pair:
    """The same thing measured for both.

    Args:
        ours: seconds, each time.
        c10d: seconds, each time; None in the place of one that did not end within the limit.
        limit: how long was waited for c10d.
    """

    ours: Sequence[float]
    c10d: Sequence[float | None] = ()
    limit: float = 0.0

    @property
    def our_median(self) -> float:
        return statistics.median(self.ours)

    @property
    def c10d_median(self) -> float | None:
        """At least so long: one that did not end counts as if it had ended at the limit. None: not measured."""
        return statistics.median(self.limit if t is None else t for t in self.c10d) if self.c10d else None

    @property
    def share(self) -> float | None:
        """Ours as a share of c10d's."""
        return self.our_median / self.c10d_median if self.c10d_median else None


@dataclass(frozen=True)
class Storm:
    """So many nodes join.

    Args:
        nodes: how many.
        whole: all begin at the same moment: until every `next_rendezvous` has returned.
        last: all but one wait already, and the last one begins: until every `next_rendezvous` has returned.
    """

    nodes: int
    whole: Pair
    last: Pair


@dataclass(frozen=True)
class Verdict:
    """One threshold and what was measured."""

    what: str
    measured: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def judge(told: Told | None, storms: Sequence[Storm], thresholds: Thresholds) -> Iterator[Verdict]:
    """Compare what was measured with what is good enough; what was not measured is not judged."""
    if told is not None:
        yield Verdict("pod deleted -> all told: median, s", told.median, thresholds.told_median)
        yield Verdict(f"pod deleted -> all told: worst of {len(told.seconds)}, s", told.worst, thresholds.told_worst)
    for storm in storms:
        if storm.nodes < thresholds.from_nodes:
            continue
        for what, pair, limit in (
            ("whole storm", storm.whole, thresholds.whole_share),
            ("last joiner -> all returned", storm.last, thresholds.last_share),
        ):
            if pair.share is not None:
                yield Verdict(f"{what} of {storm.nodes}: share of c10d's", pair.share, limit)


def as_json(
    told: Told | None, storms: Sequence[Storm], verdicts: Sequence[Verdict], machine: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Everything, for programs. Times in seconds.

    Args:
        told, storms, verdicts, machine: what was found, and where.
        more: what else was measured, as JSON.
    """
    return {
        "machine": machine,
        **more,
        "told": told
        and {
            "survivors": told.survivors,
            "median": told.median,
            "worst": told.worst,
            "all": list(told.seconds),
            "c10d": {"survivors": told.c10d_survivors, "told": told.c10d_told, "within": told.c10d_limit},
        },
        "storms": [
            {"nodes": storm.nodes, "whole": _pair_as_json(storm.whole), "lastJoiner": _pair_as_json(storm.last)}
            for storm in storms
        ],
        "thresholds": [
            {"what": it.what, "measured": it.measured, "limit": it.limit, "holds": it.holds} for it in verdicts
        ],
        "passed": all(it.holds for it in verdicts),
    }


def _pair_as_json(pair: Pair) -> dict[str, Any]:
    return {
        "ours": {"median": pair.our_median, "all": list(pair.ours)},
        "c10d": {"median": pair.c10d_median, "all": list(pair.c10d), "limit": pair.limit},
        "share": pair.share,
    }
