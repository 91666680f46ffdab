"""How time, bytes and CPU grow with the number of members, beside another commit's, and whether that is good enough."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kube_rendezvous.resources import LARGEST_WORLD
from performance.figures import Verdict


@dataclass(frozen=True)
class Cost:
    """Of one thing that the whole fleet did, a member: seconds of CPU, bytes (with TLS), requests."""

    client_cpu: float
    server_cpu: float
    requests: float
    read: float
    written: float


@dataclass(frozen=True)
class Measured:
    """One rendezvous. Times in seconds.

    Args:
        nodes: how many members.
        storm: from the first `next_rendezvous` until all have returned.
        told: when each has its second connection: from the deletion of one Member until all are told.
        again: from the deletion until all have joined again.
        join, rejoin: what it cost.
        server_rss: memory of the API server afterwards, bytes.
        operator_peak: the most memory that the operator has held so far, bytes; 0: not measured.
        operator_cpu: seconds that it used from first to last.
        grown: from when some more begin to join a standing round until all have their places in a larger one; 0: not
            measured. The storm before was smaller by these.
        closed: from when a member asks for it until all see that it is closed; 0: not measured.
        unfinished: patience ended before all had joined again: that time and those bytes and CPU would be more.
    """

    nodes: int
    storm: float
    told: float
    again: float
    join: Cost
    rejoin: Cost
    server_rss: int
    operator_peak: int = 0
    operator_cpu: float = 0.0
    grown: float = 0.0
    closed: float = 0.0
    unfinished: bool = False


@dataclass(frozen=True)
class Floor:
    """The least that clients in Python can do to join (`performance.floor_player`).

    Args:
        nodes: how many members.
        storm: seconds from the first that began until all had their ranks.
        join: what it cost.
    """

    nodes: int
    storm: float
    join: Cost


@dataclass(frozen=True)
class Sizes:
    """All that was measured of one size. `theirs`: the other commit's, perhaps nothing.

    Args:
        light: played by light watchers and not by real handlers.
        deciding: seconds of CPU that our operator needs for one decision while they gather; 0: not measured.
        floor: the same joins at the least that they can cost, under our operator; perhaps nothing.
    """

    nodes: int
    light: bool
    ours: Sequence[Measured]
    theirs: Sequence[Measured] = ()
    deciding: float = 0.0
    floor: Sequence[Floor] = ()

    def share(self, figure: str) -> float | None:
        """Our median as a share of theirs; None: nothing to compare with, or not measured.

        Args:
            figure: one of `FIGURES`.
        """
        if not self.theirs or not median(self.theirs, figure):
            return None
        return median(self.ours, figure) / median(self.theirs, figure)

    @property
    def theirs_unfinished(self) -> bool:
        """Whether not all of the other commit's members had joined again when patience ended: `REJOIN_FIGURES`."""
        return any(one.unfinished for one in self.theirs)

    def floor_share(self, figure: str) -> float | None:
        """The floor's median as a share of theirs: of the client's CPU and the requests, what nobody can go below.

        None: as `share`, or no figure of the floor.

        Args:
            figure: one of `FLOOR_FIGURES`.
        """
        if not self.theirs or not self.floor or not median(self.theirs, figure):
            return None
        return floor_median(self.floor, figure) / median(self.theirs, figure)


_JOIN: dict[str, Callable[[Cost], float]] = {
    "requests to join": lambda join: join.requests,
    "bytes to join": lambda join: join.read + join.written,
    "client CPU to join, s": lambda join: join.client_cpu,
    "API server CPU to join, s": lambda join: join.server_cpu,
}

FIGURES: dict[str, Callable[[Measured], float]] = {
    "storm, s": lambda one: one.storm,
    "told, s": lambda one: one.told,
    "again, s": lambda one: one.again,
    "grown, s": lambda one: one.grown,
    "closed, s": lambda one: one.closed,
    "requests to join": lambda one: one.join.requests,
    "bytes to join": lambda one: one.join.read + one.join.written,
    "bytes to join again": lambda one: one.rejoin.read + one.rejoin.written,
    "client CPU to join, s": lambda one: one.join.client_cpu,
    "API server CPU to join, s": lambda one: one.join.server_cpu,
    "API server CPU to join again, s": lambda one: one.rejoin.server_cpu,
    "API server RSS": lambda one: one.server_rss,
    "operator's peak RSS": lambda one: one.operator_peak,
    "operator CPU, s": lambda one: one.operator_cpu,
}
"""Of one `Measured`; bytes, requests and CPU are a member's, but for the operator's."""

GROWING_FIGURES = ("grown, s", "closed, s")
"""Those that only light watchers have."""

REJOIN_FIGURES = ("told, s", "again, s", "bytes to join again", "API server CPU to join again, s")
"""Those that are no more than a bound where a `Measured` is unfinished."""

FLOOR_FIGURES = tuple(_JOIN)
"""Those of `FIGURES` that a `Floor` has, too: a bound are the client's CPU and the requests, no more than that."""

SHARE_LIMITS = {"storm, s": 0.4, "client CPU to join, s": 0.4, "API server CPU to join, s": 0.5}
SHARE_NODES = (64, 256)
LIGHT_SHARE_LIMITS = {"bytes to join again": 0.1, "API server RSS": 0.6}  # they join as ours do under either operator
LIGHT_SHARE_NODES = 4000
LARGEST_REAL = 999
LARGEST_REAL_LIMITS = {"storm, s": 8.0, "told, s": 0.5, "again, s": 4.0}
LARGEST_LIMITS = {"told, s": 3.0, "operator's peak RSS": 200e6}
LARGEST_DECIDING_SECONDS = 0.06


def median(measured: Sequence[Measured], figure: str) -> float:
    """The median of one figure."""
    return statistics.median(FIGURES[figure](one) for one in measured)


def floor_median(floor: Sequence[Floor], figure: str) -> float:
    """The median of one of `FLOOR_FIGURES`."""
    return statistics.median(_JOIN[figure](one.join) for one in floor)


def judge_scale(sizes: Sequence[Sizes]) -> Iterator[Verdict]:
    """Compare what was measured with what is good enough; what was not measured is not judged."""
    for size in sizes:
        members = f"{size.nodes} members"
        for figure, limit in _share_limits(size).items():
            share = size.share(figure)
            if share is not None:
                yield Verdict(f"{members}, {figure}: share of the other commit's", share, limit)
        for figure, limit in _limits(size).items():
            yield Verdict(f"{members}, {figure}", median(size.ours, figure), limit)
        if size.nodes == LARGEST_WORLD and size.deciding:
            yield Verdict(f"{members}, one decision, s of CPU", size.deciding, LARGEST_DECIDING_SECONDS)


def _share_limits(size: Sizes) -> Mapping[str, float]:
    if size.light:
        return LIGHT_SHARE_LIMITS if size.nodes == LIGHT_SHARE_NODES else {}
    return SHARE_LIMITS if size.nodes in SHARE_NODES else {}


def _limits(size: Sizes) -> Mapping[str, float]:
    if size.light:
        return LARGEST_LIMITS if size.nodes == LARGEST_WORLD else {}
    return LARGEST_REAL_LIMITS if size.nodes == LARGEST_REAL else {}


def scale_as_json(sizes: Sequence[Sizes], against: str) -> dict[str, Any]:
    """Everything, for programs. Times in seconds."""
    return {
        "against": against or None,
        "sizes": [
            {
                "nodes": size.nodes,
                "players": "light watchers" if size.light else "real handlers",
                "medians": {figure: median(size.ours, figure) for figure in FIGURES},
                "shares": {figure: size.share(figure) for figure in FIGURES} if size.theirs else None,
                "deciding": size.deciding,
                "floorMedians": {one: floor_median(size.floor, one) for one in FLOOR_FIGURES} if size.floor else None,
                "floorShares": {one: size.floor_share(one) for one in FLOOR_FIGURES} if size.floor else None,
                "floor": [asdict(one) for one in size.floor],
                "ours": [asdict(one) for one in size.ours],
                "theirs": [asdict(one) for one in size.theirs],
            }
            for size in sizes
        ],
    }


def sizes_from_json(report: dict[str, Any]) -> list[Sizes]:
    """What `scale_as_json` wrote, read again."""
    return [
        Sizes(
            size["nodes"],
            size["players"] == "light watchers",
            [_measured(one) for one in size["ours"]],
            [_measured(one) for one in size["theirs"]],
            size.get("deciding", 0.0),
            tuple(Floor(**{**one, "join": Cost(**one["join"])}) for one in size.get("floor", ())),
        )
        for size in report["sizes"]
    ]


def _measured(one: dict[str, Any]) -> Measured:
    return Measured(**{**one, "join": Cost(**one["join"]), "rejoin": Cost(**one["rejoin"])})
