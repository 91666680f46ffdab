"""What keeping the survivors' processes brings: figures and judgement."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from performance.figures import THRESHOLDS, Verdict


@dataclass(frozen=True)
class SurviveThresholds:
    """What is good enough.

    Args:
        step_median: seconds from the kill of a node until every survivor has done its next optimizer step.
        share: the largest share of the restarting way's time that this may take.
    """

    step_median: float
    share: float

    @classmethod
    def read(cls, file: Path = THRESHOLDS) -> "SurviveThresholds":
        """Read them from their file."""
        limits = json.loads(file.read_text())["survive"]
        return cls(limits["step_median_seconds"], limits["share_of_restarting"])


@dataclass(frozen=True)
class Kill:
    """One kill: seconds from it until all survivors were so far.

    Args:
        told: knew of it, and were out of the broken round's collectives; None: they were ended instead.
        taken: had taken the next round in.
        stepped: had done an optimizer step in it.
    """

    told: float | None
    taken: float
    stepped: float


@dataclass(frozen=True)
class WayMeasured:
    """All kills in one way.

    Args:
        name: of the way.
        kills: at least one.
    """

    name: str
    kills: Sequence[Kill]

    @property
    def told(self) -> float | None:
        """Median; None: nobody is told in this way."""
        told = [kill.told for kill in self.kills if kill.told is not None]
        return statistics.median(told) if told else None

    @property
    def taken(self) -> float:
        """Median."""
        return statistics.median(kill.taken for kill in self.kills)

    @property
    def stepped(self) -> float:
        """Median."""
        return statistics.median(kill.stepped for kill in self.kills)

    @property
    def worst(self) -> float:
        """The longest time until all had stepped."""
        return max(kill.stepped for kill in self.kills)


@dataclass(frozen=True)
class Survived:
    """The ways side by side, measured in one run.

    Args:
        nodes, workers: how many nodes there were, and workers of each.
        kept: survivors kept their processes, by the engine that torch offers.
        reinit: the same with the engine for every torch; None: not measured.
        restarted: torchrun restarted them all; None: not measured.
    """

    nodes: int
    workers: int
    kept: WayMeasured
    reinit: WayMeasured | None = None
    restarted: WayMeasured | None = None

    @property
    def ways(self) -> list[WayMeasured]:
        """Those that were measured."""
        return [way for way in (self.kept, self.reinit, self.restarted) if way is not None]

    def share(self, way: WayMeasured) -> float | None:
        """The time of a way as a share of the restarting way's; None: that was not measured."""
        return way.stepped / self.restarted.stepped if self.restarted is not None else None


def judge_survived(survived: Survived, thresholds: SurviveThresholds) -> Iterator[Verdict]:
    """Compare what was measured with what is good enough."""
    kept = survived.kept
    what = f"node killed -> next step of all survivors: median of {len(kept.kills)}, s"
    yield Verdict(what, kept.stepped, thresholds.step_median)
    share = survived.share(kept)
    if share is not None:
        yield Verdict("node killed -> next step: share of the restarting way's", share, thresholds.share)


def survived_as_json(survived: Survived) -> dict[str, Any]:
    """Everything, for programs. Times in seconds."""
    return {
        "nodes": survived.nodes,
        "workersOfEachNode": survived.workers,
        "ways": [
            {
                "name": way.name,
                "medians": {"told": way.told, "takenIn": way.taken, "stepped": way.stepped},
                "worst": way.worst,
                "share": survived.share(way),
                "all": [{"told": it.told, "takenIn": it.taken, "stepped": it.stepped} for it in way.kills],
            }
            for way in survived.ways
        ],
    }
