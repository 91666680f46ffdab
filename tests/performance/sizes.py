"""Rendezvous of every size that was asked for, of this commit and of another one, by turns."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from commit_files import check_out
from performance.deciding import seconds_to_decide
from performance.local_site import site
from performance.other_commit import PARTS, lift_limits
from performance.scale import measure
from performance.scale_figures import FIGURES, Measured, Sizes, median

_REAL, _LIGHT = "performance.player", "performance.light_player"
_CHECKED_OUT = Path("build/against")


def measure_sizes(options: argparse.Namespace, progress: Callable[[str], None]) -> list[Sizes]:
    """Measure them; each turn has a control plane of its own.

    Args:
        options: ``sizes``, ``light``, ``players``, ``repeat``, ``against``.
        progress: told what goes on.
    """
    commits = [None, *([check_out(options.against, _CHECKED_OUT, *PARTS)] if options.against else [])]
    for commit in filter(None, commits):
        lift_limits(commit / "crds")
    asked = [(nodes, False) for nodes in options.sizes] + [(nodes, True) for nodes in options.light]
    found: dict[tuple[int, bool, Path | None], list[Measured]] = {}
    for turn in range(options.repeat):
        for commit in commits:
            with site(commit) as where:
                for nodes, light in asked:
                    module, name = _LIGHT if light else _REAL, f"scale-{nodes}-{turn}-{'light' if light else 'real'}"
                    one = measure(where, nodes, options.players, None if light else commit, module, name)
                    found.setdefault((nodes, light, commit), []).append(one)
                    whose = options.against if commit else "this commit"
                    progress(
                        f"{whose}, {nodes}: storm {one.storm:.2f} s, told {one.told:.2f} s, again {one.again:.2f} s"
                    )
    return [
        Sizes(
            nodes,
            light,
            found[nodes, light, None],
            [one for commit in commits[1:] for one in found[nodes, light, commit]],
            seconds_to_decide(nodes),
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
    for figure in FIGURES:
        cells: list[str] = []
        for size in sizes:
            cells.append(_number(median(size.ours, figure)))
            share = size.share(figure)
            if share is not None:
                cells += [_number(median(size.theirs, figure)), f"{share:.0%}"]
        table.add_row(figure, *cells)
    deciding = [[_number(size.deciding), *(["", ""] if size.theirs else [])] for size in sizes]
    table.add_row("one decision, s of CPU", *(cell for cells in deciding for cell in cells))
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"
