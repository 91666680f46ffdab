"""The soak: schedules and quiet points in turn."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from integration.handlers.runs import Run
from integration.survival.surviving_node import Worker
from integration.survival.traces import falls, read_together, steps_in, unequal_weights, wrong_samples
from survivor_soak.plan import Act, Schedule
from survivor_soak.world import World

QUIET_SECONDS = 45.0
"""After the last blow: a loss known after 3 s, a worker that hung started again after 6 s; and a busy machine."""
STEPS_TO_SEE = 3
SAMPLES, BATCH = 240, 24
_POLL_SECONDS = 0.02


@dataclass
class Account:
    """What happened so far."""

    schedules: int = 0
    acts: Counter[Act] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, 0)
    ends: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def carry_out(world: World, run: Run, schedule: Schedule) -> tuple[float, list[str]]:
    """One schedule, and the quiet after it.

    Returns:
        Seconds from the last blow until all was well, and what was wrong.
    """
    before = {worker.name: worker.pid for worker in world.workers}
    began = time.monotonic()
    for blow in schedule.blows:
        _wait_until(lambda at=began + blow.at: time.monotonic() >= at)  # type: ignore[misc]
        world.strike(blow, schedule.spared)
    last = time.monotonic()
    wrong = come_to_rest(world, run, last)
    quiet = time.monotonic() - last
    wrong += [
        f"worker {name} was not touched and is another process now" for name in _replaced(world, schedule, before)
    ]
    wrong += judge(world)
    world.forget()
    return quiet, wrong


def come_to_rest(world: World, run: Run, since: float) -> list[str]:
    """Wait until all have done steps in one round since then; returns what keeps them from it after the limit."""
    found: list[str] = []

    def all_is_well() -> bool:
        world.start_those_that_have_ended()
        found[:] = unrest(world.workers, run.status.round, since)
        return not found

    _wait_until(all_is_well, QUIET_SECONDS)
    return [f"{QUIET_SECONDS:.0f} s after the last blow {what}" for what in found]


def unrest(workers: list[Worker], number: int, since: float) -> list[str]:
    """What keeps the world from being one round whose steps go on."""
    found = []
    for worker in workers:
        done = [line for line in steps_in(worker.trace.lines[-200:], number) if line.at > since]
        world = done[-1].world if done else 0
        if len(done) < STEPS_TO_SEE or world != len(workers) or not worker.is_alive:
            steps = f"{len(done)} steps in round {number} with {world} workers"
            found.append(f"{worker.name} has done {steps}; its newest line: {worker.trace.newest}")
    return found


def judge(world: World) -> list[str]:
    """What must hold whatever was done."""
    found = [what for trace in world.traces for what in falls(trace.lines)]
    lines = read_together(world.traces)
    return [*found, *unequal_weights(lines), *wrong_samples(lines, SAMPLES, BATCH), *world.leftovers()]


def _replaced(world: World, schedule: Schedule, before: dict[str, int]) -> list[str]:
    first_may_be_anybody = any(blow.act is Act.KILL_FIRST_WORKER for blow in schedule.blows)
    return [
        worker.name
        for worker in world.workers
        if worker.name in before
        and worker.pid != before[worker.name]
        and not schedule.touches(*world.place_of(worker))
        and (not first_may_be_anybody or world.place_of(worker) == schedule.spared)
    ]


def _wait_until(true: Callable[[], bool], seconds: float = 3600.0) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
