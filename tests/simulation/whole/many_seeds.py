"""Many schedules on many cores; the first broken one ends it."""

import gc
import logging
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import Scenario, fails

SEEDS_AT_ONCE = 50
"""A process's share: some seconds of work, so that the end is found soon and the hand-over costs nothing."""


@dataclass
class Tally:
    """How many schedules have run so far, none of them broken but perhaps the last share's."""

    schedules: int = 0


@dataclass(frozen=True)
class Broken:
    """A seed and what was wrong in its schedule."""

    seed: int
    text: str


def first_broken(
    seeds: range,
    faults: frozenset[Fault],
    schedule: type[Scenario],
    *,
    processes: int,
    tally: Tally,
    progress: Callable[[Tally], None],
) -> Broken | None:
    """The lowest seed found broken when the first was found, or None when all are clean.

    Raises:
        KeyboardInterrupt: Ctrl-C; the processes are gone.
    """
    shares = (seeds[at : at + SEEDS_AT_ONCE] for at in range(0, len(seeds), SEEDS_AT_ONCE))
    pool = ProcessPoolExecutor(processes, initializer=_begin)
    running: dict[Future[Broken | None], range] = {}
    try:
        while True:
            while len(running) < 2 * processes and (share := next(shares, None)):
                running[pool.submit(_broken_of, share, faults, schedule)] = share
            if not running:
                return None
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            found = [broken for one in done if (broken := one.result()) is not None]
            tally.schedules += sum(len(running.pop(one)) for one in done)
            if found:
                return min(found, key=lambda broken: broken.seed)
            progress(tally)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Ctrl-C is the other process's. What was imported is garbage never, and what a schedule makes is no garbage until
    that is over: a collection meanwhile would find nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging._srcfile = None  # type: ignore[assignment]  # nobody asks which line says that its thread is killed
    gc.disable()
    gc.collect()
    gc.freeze()


def _broken_of(seeds: range, faults: frozenset[Fault], schedule: type[Scenario]) -> Broken | None:
    for seed in seeds:
        if text := fails(seed, faults, schedule):
            return Broken(seed, text)
        gc.collect()
    return None
