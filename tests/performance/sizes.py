"""Rendezvous of every size that was asked for, of this commit and of another one, by turns."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from commit_files import check_out
from performance.deciding import seconds_to_decide
from performance.local_site import site
from performance.other_commit import PARTS, lift_limits
from performance.scale import measure, measure_floor
from performance.scale_figures import (
    FIGURES,
    FLOOR_FIGURES,
    REJOIN_FIGURES,
    Floor,
    Measured,
    Sizes,
    floor_median,
    median,
)

_REAL, _LIGHT = "performance.player", "performance.light_player"
_NEWCOMERS = 100
"""Of light watchers, one in so many comes when the round of the others stands."""

_CHECKED_OUT = Path("build/against")


def measure_sizes(options: argparse.Namespace, progress: Callable[[str], None]) -> list[Sizes]:
    """Measure them; each turn has a control plane of its own.

    Args:
        options: ``sizes``, ``light``, ``players``, ``repeat``, ``against``, ``floor``.
        progress: told what goes on.
    """
    commits = [None, *([check_out(options.against, _CHECKED_OUT, *PARTS)] if options.against else [])]
    for commit in filter(None, commits):
        lift_limits(commit / "crds")
    asked = [(nodes, False) for nodes in options.sizes] + [(nodes, True) for nodes in options.light]
    found: dict[tuple[int, bool, Path | None], list[Measured]] = {}
    floor: dict[int, list[Floor]] = {}
    for turn in range(options.repeat):
        for commit in commits:
            with site(commit) as where:
                for nodes, light in asked:
                    module, name = _LIGHT if light else _REAL, f"scale-{nodes}-{turn}-{'light' if light else 'real'}"
                    # 4,000 of 7c85a93 do not grow in 300 s on two cores: where that is compared, nobody comes later.
                    more = max(1, nodes // _NEWCOMERS) if light and not options.against else 0
                    one = measure(where, nodes, options.players, None if light else commit, module, name, more=more)
                    found.setdefault((nodes, light, commit), []).append(one)
                    whose = options.against if commit else "this commit"
                    progress(f"{whose}, {nodes}: {_times(one)}")
                    if options.floor and not light and not commit:
                        least = measure_floor(where, nodes, options.players, f"{name}-floor")
                        floor.setdefault(nodes, []).append(least)
                        cpu = f"CPU {_ms(least.join.client_cpu)} and {_ms(least.join.server_cpu)} a member"
                        progress(
                            f"plainest client, {nodes}: storm {least.storm:.2f} s, client's and API server's {cpu}"
                        )
    return [
        Sizes(
            nodes,
            light,
            found[nodes, light, None],
            [one for commit in commits[1:] for one in found[nodes, light, commit]],
            seconds_to_decide(nodes),
            [] if light else floor.get(nodes, []),
        )
        for nodes, light in asked
    ]


def scale_table(sizes: Sequence[Sizes], against: str) -> Table:
    """For people."""
    table = Table(title="One rendezvous forms, loses a member, forms again (medians)", title_justify="left")
    table.add_column("")
    for size in sizes:
        table.add_column(f"{size.nodes}{' light' if size.light else ''}", justify="right")
        if size.theirs:
            table.add_column(against, justify="right")
            table.add_column("share", justify="right")
        if size.floor:
            table.add_column("plainest client", justify="right")
            if size.theirs:
                table.add_column("share", justify="right")
    for figure in FIGURES:
        table.add_row(figure, *(cell for size in sizes for cell in _cells(size, figure)))
    deciding = ([_number(size.deciding), *[""] * (len(_cells(size, "storm, s")) - 1)] for size in sizes)
    table.add_row("one decision, s of CPU", *(cell for cells in deciding for cell in cells))
    return table


def _cells(size: Sizes, figure: str) -> list[str]:
    """Ours; theirs and ours as a share of it; the plainest client's and that as a share of theirs."""
    cells = [_number(median(size.ours, figure))]
    if size.theirs:
        bound = size.theirs_unfinished and figure in REJOIN_FIGURES
        its, share = _number(median(size.theirs, figure)), _share(size.share(figure))
        cells += [f"> {its}", f"< {share}"] if bound else [its, share]
    if size.floor:
        known = figure in FLOOR_FIGURES
        cells.append(_number(floor_median(size.floor, figure)) if known else "")
        if size.theirs:
            cells.append(_share(size.floor_share(figure)) if known else "")
    return cells


def _times(one: Measured) -> str:
    times = {"storm": one.storm, "grown": one.grown, "told": one.told, "again": one.again, "closed": one.closed}
    unfinished = ", and not all had joined again by then" if one.unfinished else ""
    return ", ".join(f"{what} {seconds:.2f} s" for what, seconds in times.items() if seconds) + unfinished


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"
