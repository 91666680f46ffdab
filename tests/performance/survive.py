"""How long after a node is killed the survivors have done their next optimizer step, by each way to go on.

Real launchers with real workers, each node in the place of a pod. The node's processes get SIGKILL and its pod is
deleted by force, so that the pod's deletion tells: to find a silent node by its heartbeat is not part of this. The
clock starts before the kill, and stops for a survivor when it has done an optimizer step in the round without the lost
node. Then a newcomer replaces that, which is not measured: it has to import first.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from performance.launched_nodes import Line, Nodes, Way, nodes
from performance.local_site import Site
from performance.survive_figures import Kill, WayMeasured

RECONFIGURE = Way("survivors kept", "reconfigure")
REINIT = Way("survivors kept, re-init", "re-init")
RESTARTING = Way("all restarted (torchrun)")
STEPS_BETWEEN = 10


def measure_way(
    site: Site, way: Way, times: int, count: int, workers: int, progress: Callable[[str], None]
) -> WayMeasured:
    """Kill a node, take the time, let a replacement come, and again.

    Args:
        site: where.
        way: how survivors go on.
        times: how often.
        count: how many nodes there are, the victim included; one after the other is killed, so rank 0 is, too.
        workers: of each node.
        progress: told what goes on.
    """
    name = f"survive-{way.engine or 'torchrun'}"
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder, nodes(site, name, way, count, workers, Path(folder)) as them:
        for number in range(times):
            _train(them, count * workers)
            kills.append(_one_kill(them, way, number % count, (count - 1) * workers))
            progress(f"{way.name}: {number + 1} of {times}, killed -> next step {kills[-1].stepped * 1000:.0f} ms")
            if number + 1 < times:
                them.start(number % count)
    return WayMeasured(way.name, kills)


def _train(them: Nodes, world: int) -> None:
    """All train together, and the newcomer's start no longer takes anybody's time."""
    them.wait(f"{world} workers train together", lambda: them.all_in(world))
    began = max(line.at for node in them.of.values() for line in node.newest() if line)
    for node in them.of.values():
        node.forget()
    them.wait(
        f"{STEPS_BETWEEN} steps of {world} workers",
        lambda: all(len(lines) >= STEPS_BETWEEN for node in them.of.values() for lines in node.since(began)),
    )


def _one_kill(them: Nodes, way: Way, place: int, world: int) -> Kill:
    before = {number: node.pids for number, node in them.of.items() if number != place}
    began = them.lose(place)

    def have_stepped() -> bool:
        return all(_first("step", lines, world) for node in them.of.values() for lines in node.since(began))

    them.wait(f"{world} survivors take a step", have_stepped)
    reason = next(past.reason for past in them.run.status.history if past.world_size == len(them.of))
    if reason != "PodDeleted":
        raise AssertionError(f"the survivors were told for another reason: {reason}")
    after = {number: node.pids for number, node in them.of.items()}
    if way.engine and after != before:
        raise AssertionError(f"survivors' processes changed: {before} before, {after} after")
    lines = [lines for node in them.of.values() for lines in node.since(began)]
    moments = {did: [_first(did, each, world) for each in lines] for did in ("took", "step")}
    left = [next((line.at for line in each if line.did == "left"), None) for each in lines]
    return Kill(
        told=max(at for at in left if at) - began if way.engine and all(left) else None,
        taken=max(line.at for line in moments["took"] if line) - began,
        stepped=max(line.at for line in moments["step"] if line) - began,
    )


def _first(did: str, lines: list[Line], world: int) -> Line | None:
    return next((line for line in lines if line.did == did and line.world == world), None)
