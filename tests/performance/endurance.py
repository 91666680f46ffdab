"""One survivor lives through many changes of membership: do its descriptors, threads or memory grow?

    python -m performance.endurance [--changes 200] [--kill-every 20] [--engines reconfigure re-init]

Three nodes with one worker each, on a local control plane of their own. A change is a round that the survivor takes in:
its members are others than the last one's, and it reaches the survivor as any other round does. To be quick most
changes are made by deleting a neighbour's Member: its process lives on, and joins again as another incarnation, in the
round that its loss makes or in the one after. Every so often a neighbour is killed, with all its processes, and a new
one comes in its place. No node has a pod: one that came so often would be kept waiting (`ComesAndGoes`). The survivor's
worker and its launcher are both looked at, at rest, while they train. Exit status 1 if they have grown since round 10,
when everything has been used once.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from performance.endurance_figures import LAUNCHER, WORKER, Held, ProcessMeasured, judge_endurance
from performance.launched_nodes import Nodes, Way, nodes
from performance.local_site import Site, site
from rendezvous_local.supervised import run_supervised

NODES = 3
SURVIVOR = 0
STEPS_AT_REST = 5
SAMPLE_EVERY = 10
LIMIT_SECONDS = 60.0


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(prog="performance.endurance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--changes", type=int, default=200, help="rounds that the survivor takes in (default: 200)")
    parser.add_argument("--kill-every", type=int, default=20, help="changes between two real losses (default: 20)")
    parser.add_argument("--engines", nargs="+", default=["reconfigure", "re-init"], help="default: both")
    parser.add_argument("--output", type=Path, default=Path("build/endurance.json"), help="default: %(default)s")
    options = parser.parse_args()
    console = Console(highlight=False)
    measured: list[ProcessMeasured] = []
    with site() as where:
        for engine in options.engines:
            measured += measure_endurance(where, engine, options.changes, options.kill_every, console.print)
    verdicts = list(judge_endurance(measured))
    console.print(_table(measured))
    for verdict in verdicts:
        mark = "holds " if verdict.holds else "BROKEN"
        console.print(f"{mark}  {verdict.what}: {verdict.measured:.3f} (at most {verdict.limit:g})")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    report = {"changes": options.changes, "processes": [it.as_json() for it in measured]}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def measure_endurance(
    where: Site, engine: str, changes: int, kill_every: int, progress: Callable[[str], None]
) -> list[ProcessMeasured]:
    """Let one survivor live through so many changes.

    Args:
        where: the control plane.
        engine: how it takes rounds in.
        changes: how many rounds.
        kill_every: so many changes lie between two real losses.
        progress: told what goes on.

    Returns:
        The worker and its launcher.
    """
    with tempfile.TemporaryDirectory() as folder:
        name = f"endurance-{engine}"
        with nodes(where, name, Way(engine, engine), NODES, 1, Path(folder), in_pods=False) as them:
            return _live_through(them, engine, changes, kill_every, progress)


def _live_through(
    them: Nodes, engine: str, changes: int, kill_every: int, progress: Callable[[str], None]
) -> list[ProcessMeasured]:
    began = time.monotonic()
    _rest(them, 0)
    (worker,), launcher = them.of[SURVIVOR].pids, them.of[SURVIVOR].pid
    held: dict[str, list[Held]] = {WORKER: [], LAUNCHER: []}
    first = _round(them)
    taken, sampled, killed_at, neighbour = 0, 0, 0, SURVIVOR
    while taken < changes:
        neighbour = neighbour % (NODES - 1) + 1
        before = _round(them)
        if taken - killed_at >= kill_every:
            killed_at = taken
            _replace(them, neighbour, before)
        else:
            them.delete_member(neighbour)
        _rest(them, before)
        taken = _round(them) - first
        if taken // SAMPLE_EVERY > sampled or taken >= changes:
            sampled = taken // SAMPLE_EVERY
            for what, pid in ((WORKER, worker), (LAUNCHER, launcher)):
                held[what].append(Held.at_rest(taken, pid))
            progress(f"{engine}: {taken} rounds in {time.monotonic() - began:.0f} s")
    if them.of[SURVIVOR].pids != [worker]:
        raise AssertionError(f"the survivor was restarted: process {worker} before, {them.of[SURVIVOR].pids} after")
    return [ProcessMeasured(engine, what, samples) for what, samples in held.items()]


def _rest(them: Nodes, after: int) -> None:
    """All train together in a round later than that one."""

    def all_train() -> bool:
        newest = [line for node in them.of.values() for line in node.newest()]
        return all(line and line.world == NODES and line.round > after for line in newest)

    them.wait(f"{NODES} nodes train in a round after {after}", all_train, LIMIT_SECONDS)
    moment = time.monotonic()
    for node in them.of.values():
        node.forget()
    enough = lambda: all(len(it) >= STEPS_AT_REST for node in them.of.values() for it in node.since(moment))  # noqa: E731
    them.wait(f"{STEPS_AT_REST} steps", enough, LIMIT_SECONDS)


def _replace(them: Nodes, place: int, before: int) -> None:
    """Kill a neighbour; when the survivor trains without it, in a round after that one, a new one comes."""
    them.lose(place)
    them.wait("the survivor goes on without it", lambda: _round(them) > before, LIMIT_SECONDS)
    them.start(place)


def _round(them: Nodes) -> int:
    """In which the survivor has done its last step."""
    (line,) = them.of[SURVIVOR].newest()
    return line.round if line else 0


def _table(measured: Sequence[ProcessMeasured]) -> Table:
    table = Table(title="A survivor after so many changes of membership", title_justify="left")
    for column in ("engine", "process", "rounds", "descriptors", "threads", "resident, MiB", "own, MiB"):
        table.add_column(column, justify="left" if column in ("engine", "process") else "right")
    for each in measured:
        for held in each.shown:
            numbers = (held.rounds, held.descriptors, held.threads, f"{held.resident_mib:.1f}", f"{held.own_mib:.1f}")
            table.add_row(each.engine, each.process, *map(str, numbers))
    return table


if __name__ == "__main__":
    run_supervised(main)
