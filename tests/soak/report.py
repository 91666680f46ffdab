"""The soak in words."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from soak.readings import worded
from soak.run import Account


def progress(account: Account) -> str:
    """One line."""
    blows = sum(account.blows.values())
    return (
        f"{account.seconds:6.0f} s  round {account.rounds:5d}  {blows:5d} blows  {account.quiet_points:4d} quiet points"
        f" (slowest {account.slowest_quiet:.1f} s)  {account.operator_restarts:3d} operator restarts"
        f"  operator {account.memory_mib:.1f} MiB"
    )


def summary(account: Account) -> str:
    """All of it, for the end."""
    grown = account.growth
    lines = [
        f"Soaked {account.members} members for {account.seconds:.0f} s, seed {account.seed}:",
        f"  rounds                 {account.rounds}",
        *(f"  {blow:<22} {count}" for blow, count in sorted(account.blows.items())),
        *([f"  the proxy's moods      {_counted(account.moods)}"] if account.moods else []),
        f"  quiet points           {account.quiet_points}, the slowest after {account.slowest_quiet:.1f} s",
        f"  operator memory        at most {account.most_memory_mib:.1f} MiB",
    ]
    if grown is not None:
        lines.append(
            f"  longest-lived operator {grown.first:.1f} MiB at first, {grown.last:.1f} MiB at last, over "
            f"{grown.seconds:.0f} s: {'flat' if grown.flat else 'NOT FLAT'}"
        )
    lines += [f"  {worded(reading)}" for reading in account.readings]
    if account.violations:
        lines += ["Violations:", *(f"  {what}" for what in account.violations)]
    else:
        lines.append("No invariant broken, nobody hung, nothing left over.")
    return "\n".join(lines)


def as_json(account: Account) -> dict[str, Any]:
    """All of it, for programs."""
    return {**asdict(account), "blows": dict(account.blows), "moods": dict(account.moods)}


def _counted(what: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(what.items()))
