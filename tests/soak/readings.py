"""What a long soak holds, one reading every ten minutes: that it does not grow is judged after the first hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

READ_EVERY_SECONDS = 600.0
SETTLING_SECONDS = 3600.0
"""Caches, allocators and imports come to rest in the first hour."""
GROWTH_SHARE = 0.02
"""More than this after the first hour is a leak: over a month it would be felt."""


@dataclass(frozen=True)
class Reading:
    """The state at a quiet point, with every place taken.

    Args:
        seconds: since the soak began.
        operator_mib, client_mib: resident memory of the operator's process, and of the one that plays all members.
        operator_age: seconds since that operator process was first seen; a restarted one starts small.
        descriptors, threads: of the process that plays the members.
        rounds: formed so far.
        quiet_points: reached so far.
        slowest_settled: seconds from the last blow until all ran in one round, the longest since the last reading.
    """

    seconds: float
    operator_mib: float
    client_mib: float
    operator_age: float
    descriptors: int
    threads: int
    rounds: int
    quiet_points: int
    slowest_settled: float


def due(readings: Sequence[Reading], seconds: float) -> bool:
    """Whether the next reading is to be taken."""
    return seconds >= READ_EVERY_SECONDS * (len(readings) + 1)


def growth_after_settling(readings: Sequence[Reading]) -> list[str]:
    """What grew by more than 2 % after the first hour, as sentences: of the client, and of an operator that old."""
    found = []
    old = [reading for reading in readings if reading.operator_age >= SETTLING_SECONDS]
    late = [reading for reading in readings if reading.seconds >= SETTLING_SECONDS]
    for what, values in (
        ("the operator", [reading.operator_mib for reading in old]),
        ("the process of the members", [reading.client_mib for reading in late]),
    ):
        if len(values) > 1 and values[-1] > values[0] * (1 + GROWTH_SHARE):
            found.append(
                f"the memory of {what} grew from {values[0]:.1f} to {values[-1]:.1f} MiB after its first hour: "
                f"{values[-1] / values[0] - 1:.1%}, and {GROWTH_SHARE:.0%} are allowed"
            )
    return found


def worded(reading: Reading) -> str:
    """One line."""
    return (
        f"{reading.seconds / 3600:5.2f} h  operator {reading.operator_mib:.1f} MiB ({reading.operator_age:.0f} s old)"
        f"  members' process {reading.client_mib:.1f} MiB, {reading.descriptors} descriptors, {reading.threads} threads"
        f"  {reading.rounds} rounds  {reading.quiet_points} quiet points, the slowest of late after"
        f" {reading.slowest_settled:.1f} s"
    )


def draw(readings: Sequence[Reading], file: Path) -> None:
    """A picture of all readings, as PNG."""
    from matplotlib.figure import Figure

    hours = [reading.seconds / 3600 for reading in readings]
    figure = Figure(figsize=(11, 6), layout="constrained")
    shown = (
        ("operator, MiB", [reading.operator_mib for reading in readings]),
        ("members' process, MiB", [reading.client_mib for reading in readings]),
        ("descriptors", [reading.descriptors for reading in readings]),
        ("threads", [reading.threads for reading in readings]),
        ("rounds", [reading.rounds for reading in readings]),
        ("slowest to settle, s", [reading.slowest_settled for reading in readings]),
    )
    for axes, (title, values) in zip(figure.subplots(2, 3).flat, shown, strict=True):
        axes.plot(hours, values, "o-", markersize=3)
        axes.set(title=title, xlabel="hours", ylim=(0, None))
        axes.grid(alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
