"""`make bench`: what the design promises, measured beside torch's c10d on the same machine in the same run.

    python -m performance [--only told|storm|survive|hindered|signals|scale] [--times 50] [--nodes 8 64] [--kills 20]
        [--no-c10d] [--sizes 8 64 256] [--light 4000 10000] [--against COMMIT] [--floor]

Exit status 1 if a threshold of `thresholds.json` does not hold.
"""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from performance.c10d import knows_backoff, run_c10d
from performance.curves import draw_curves
from performance.figures import Pair, Storm, Thresholds, Told, Verdict, as_json, judge
from performance.hindered import WAYS, measure_hindered
from performance.hindered_figures import Hindered, HinderedThresholds, hindered_as_json, judge_hindered
from performance.local_site import Site, site
from performance.scale_figures import Sizes, judge_scale, scale_as_json
from performance.signal_figures import Told as SignalTold
from performance.signal_figures import judge_signals, signals_as_json, told_limit
from performance.signals import SIGNALS, measure_signal
from performance.sizes import measure_sizes, scale_table
from performance.storm import measure_storm
from performance.survive import RECONFIGURE, REINIT, RESTARTING, measure_way
from performance.survive_figures import Survived, SurviveThresholds, judge_survived, survived_as_json
from performance.told import measure_told
from rendezvous_local.supervised import run_supervised

SURVIVORS = 7
C10D_TOLD_NODES = 4
SURVIVE_NODES = 4
SURVIVE_WORKERS = 2


def main() -> int:
    """Measure, show, write, judge."""
    parser = argparse.ArgumentParser(prog="performance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="default: %(default)s")
    parser.add_argument("--times", type=int, default=50, help="pods to delete (default: %(default)s)")
    parser.add_argument("--nodes", type=int, nargs="+", default=[8, 64, 128], help="default: 8 64 128")
    parser.add_argument("--repeat", type=int, default=3, help="storms of each size (default: %(default)s)")
    parser.add_argument(
        "--only", choices=["told", "storm", "survive", "hindered", "signals", "scale"], help="default: all of them"
    )
    parser.add_argument("--kills", type=int, default=20, help="nodes to kill, survivors kept (default: 20)")
    parser.add_argument("--other-kills", type=int, default=5, help="the same for re-init and torchrun (default: 5)")
    parser.add_argument("--hindered", type=int, default=20, help="losses beside pods that cannot come (default: 20)")
    parser.add_argument("--signals", type=int, default=20, help="times that each signal is given (default: 20)")
    parser.add_argument("--no-c10d", action="store_true", help="leave torch's c10d out")
    parser.add_argument("--told-limit", type=float, default=10.0, help="seconds to wait for c10d to tell (default: 10)")
    parser.add_argument("--c10d-limit", type=float, default=120.0, help="seconds for one storm of c10d (default: 120)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[8, 64, 256], help="of one rendezvous of real handlers")
    parser.add_argument("--light", type=int, nargs="*", default=[], help="sizes that light watchers play")
    parser.add_argument("--players", type=int, default=os.cpu_count() or 1, help="processes (default: one a CPU)")
    parser.add_argument("--against", default="", metavar="COMMIT", help="measure the sizes of another commit, too")
    parser.add_argument("--floor", action="store_true", help="play the least that joins of the sizes can cost, too")
    parser.add_argument("--backoff", type=float, nargs="+", default=[0.01, 0.1, 1.0], help="c10d's, beside 0; the best")
    options = parser.parse_args()
    console = Console(highlight=False)
    told: Told | None = None
    survived: Survived | None = None
    hindered: list[Hindered] = []
    signals: list[SignalTold] = []
    ours: dict[int, tuple[list[float], list[float]]] = {}
    if options.only != "scale":
        with site() as where:
            if options.only in (None, "told"):
                told = measure_told(where, options.times, SURVIVORS + 1, console.print)
            if options.only in (None, "storm"):
                ours = {nodes: _our_storms(where, nodes, options.repeat, console) for nodes in options.nodes}
            if options.only in (None, "survive"):
                survived = _survived(where, options.kills, options.other_kills, console)
            if options.only in (None, "hindered"):
                hindered = [measure_hindered(where, way, options.hindered, console.print) for way in WAYS]
            if options.only in (None, "signals"):
                signals = [measure_signal(where, signal, options.signals, console.print) for signal in SIGNALS]
    sizes: list[Sizes] = []
    if options.only in (None, "scale"):
        sizes = measure_sizes(options, console.print)
    # Torch's turn comes when our control plane is gone: it has the machine for itself.
    if told is not None and not options.no_c10d:
        count = run_c10d("told", C10D_TOLD_NODES, options.told_limit)
        told = Told(told.survivors, told.seconds, options.told_limit, count, C10D_TOLD_NODES - 1)
    storms = [
        _beside_c10d(nodes, *figures, 0.0 if options.no_c10d else options.c10d_limit, options.backoff, console)
        for nodes, figures in ours.items()
    ]
    verdicts = list(judge(told, storms, Thresholds.read()))
    verdicts += judge_scale(sizes)
    if survived is not None:
        verdicts += judge_survived(survived, SurviveThresholds.read())
    verdicts += judge_hindered(hindered, HinderedThresholds.read())
    verdicts += judge_signals(signals, told_limit())
    if sizes:
        console.print(scale_table(sizes, options.against))
    _show(console, told, storms, survived, verdicts)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": None if options.no_c10d else version("torch"),
    }
    survive = survived_as_json(survived) if survived is not None else None
    scale = scale_as_json(sizes, options.against) if sizes else None
    cluster = {"hindered": hindered_as_json(hindered), "signals": signals_as_json(signals)}
    when = {"commit": _commit(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    report = {**when, **as_json(told, storms, verdicts, machine, survive=survive, scale=scale, **cluster)}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"Written to {options.output}")
    if sizes:
        draw_curves(sizes, options.against, options.output.with_suffix(".png"))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def _our_storms(where: Site, nodes: int, repeat: int, console: Console) -> tuple[list[float], list[float]]:
    storms = [measure_storm(where, nodes, f"storm-{nodes}-{number}") for number in range(repeat)]
    console.print(f"storm of {nodes}: whole {_ms(min(s.whole for s in storms))} … {_ms(max(s.whole for s in storms))}")
    return [storm.whole for storm in storms], [storm.last for storm in storms]


def _survived(where: Site, kills: int, other_kills: int, console: Console) -> Survived:
    kept, reinit, restarted = (
        measure_way(where, way, times, SURVIVE_NODES, SURVIVE_WORKERS, console.print)
        for way, times in ((RECONFIGURE, kills), (REINIT, other_kills), (RESTARTING, other_kills))
    )
    return Survived(SURVIVE_NODES, SURVIVE_WORKERS, kept, reinit, restarted)


def _beside_c10d(
    nodes: int, whole: list[float], last: list[float], limit: float, backoffs: list[float], console: Console
) -> Storm:
    if not limit:
        return Storm(nodes, Pair(whole), Pair(last))
    tried = [0.0, *backoffs] if knows_backoff() else [0.0]
    theirs: dict[str, float | None] = {}
    for what in ("whole", "last"):
        took = {}
        for backoff in tried:
            # Nobody waits longer for a setting that is worse than one that was tried.
            known = [seconds for seconds in took.values() if seconds is not None]
            took[backoff] = run_c10d(what, nodes, min([limit, *known]), backoff)
            console.print(f"c10d's {what} of {nodes}, cas_backoff_max_seconds {backoff:g}: {_ms(took[backoff])}")
        theirs[what] = min((seconds for seconds in took.values() if seconds is not None), default=None)
    return Storm(nodes, Pair(whole, [theirs["whole"]], limit), Pair(last, [theirs["last"]], limit))


def _show(
    console: Console,
    told: Told | None,
    storms: Sequence[Storm],
    survived: Survived | None,
    verdicts: Sequence[Verdict],
) -> None:
    if told is not None:
        table = Table(title="A pod is deleted by force: until every survivor is told to stop", title_justify="left")
        for column in ("", "survivors", "times", "median", "worst"):
            table.add_column(column, justify="left" if not column else "right")
        times = str(len(told.seconds))
        table.add_row("kubernetes", str(told.survivors), times, _ms(told.median), _ms(told.worst))
        if told.c10d_survivors:
            never = f"{told.c10d_told} told within {told.c10d_limit:.0f} s"
            table.add_row("c10d", str(told.c10d_survivors), "1", never, never)
        console.print(table)
    if storms:
        table = Table(title="Nodes join: until every next_rendezvous has returned (medians)", title_justify="left")
        for column in ("nodes", "all at once", "c10d", "share", "after the last joiner", "c10d", "share"):
            table.add_column(column, justify="right")
        for storm in storms:
            cells = [cell for pair in (storm.whole, storm.last) for cell in _pair(pair)]
            table.add_row(str(storm.nodes), *cells)
        console.print(table)
    if survived is not None:
        console.print(_survived_table(survived))
    for verdict in verdicts:
        mark = "holds " if verdict.holds else "BROKEN"
        console.print(f"{mark}  {verdict.what}: {verdict.measured:.3f} (at most {verdict.limit:g})")


def _survived_table(survived: Survived) -> Table:
    title = f"One of {survived.nodes} nodes x {survived.workers} workers is killed, its pod deleted (medians)"
    table = Table(title=title, title_justify="left")
    for column in ("until all survivors", "times", "are told", "took the round in", "did a step", "worst", "share"):
        table.add_column(column, justify="left" if column == "until all survivors" else "right")
    for way in survived.ways:
        share = survived.share(way)
        told = "-" if way.told is None else _ms(way.told)
        times = (told, *map(_ms, (way.taken, way.stepped, way.worst)))
        table.add_row(way.name, str(len(way.kills)), *times, "-" if share is None else f"{share:.1%}")
    return table


def _pair(pair: Pair) -> tuple[str, str, str]:
    unfinished = "> " if None in pair.c10d else ""
    theirs = "-" if pair.c10d_median is None else unfinished + _ms(pair.c10d_median)
    return _ms(pair.our_median), theirs, "-" if pair.share is None else f"{pair.share:.1%}"


def _ms(seconds: float | None) -> str:
    return "none in time" if seconds is None else f"{seconds * 1000:,.0f} ms"


if __name__ == "__main__":
    run_supervised(main)
