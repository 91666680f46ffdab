"""The curves of `scale_figures`: each figure against the number of members, both axes logarithmic.

python -m performance.curves docs/bench docs/images     draws those of every report in a folder
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from performance.scale_figures import FIGURES, GROWING_FIGURES, Measured, Sizes, median, sizes_from_json


def draw_curves(sizes: Sequence[Sizes], against: str, file: Path) -> None:
    """Draw them.

    Args:
        sizes: what was measured.
        against: name of the other commit, perhaps "".
        file: a PNG or SVG.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = 5
    grows = any(measured.grown for size in sizes for measured in (*size.ours, *size.theirs))
    names = [name for name in FIGURES if grows or name not in GROWING_FIGURES]
    figure = Figure(figsize=(4 * columns, 3.2 * -(-len(names) // columns)), layout="constrained")
    for axes, name in zip(figure.subplots(-(-len(names) // columns), columns).flat, names, strict=False):
        for label, light, of_theirs, style in (
            ("this commit", False, False, "o-"),
            ("this commit, light watchers", True, False, "o--"),
            (against, False, True, "s-"),
            (f"{against}, light watchers", True, True, "s--"),
        ):
            points = [(size.nodes, _of(size, of_theirs)) for size in sizes if size.light == light]
            found = [(nodes, median(measured, name)) for nodes, measured in points if measured]
            drawn = [(nodes, value) for nodes, value in found if value > 0]  # what was not measured is 0
            if drawn:
                axes.plot(*zip(*drawn, strict=True), style, label=label, markersize=4)
        axes.set(xscale="log", yscale="log", title=name, xlabel="members")
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    with rc_context({"svg.hashsalt": "kube-rendezvous"}):  # the same figures, the same file
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def _of(size: Sizes, of_theirs: bool) -> Sequence[Measured]:
    return size.theirs if of_theirs else size.ours


def main(reports: Path, images: Path) -> None:
    """Draw the curves of every report that has some."""
    for file in sorted(reports.glob("*.json")):
        scale = json.loads(file.read_text()).get("scale")
        if scale and scale["sizes"]:
            draw_curves(sizes_from_json(scale), scale["against"] or "", images / f"bench-{file.stem}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
