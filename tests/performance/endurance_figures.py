"""What a process holds after so many rounds, and whether it has grown."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from performance.figures import Verdict

WARM_UP_ROUNDS = 10
SHOWN_ROUNDS = (10, 50, 100, 200)
GROWTH_LIMIT = 0.05
WORKER, LAUNCHER = "worker", "launcher"
# A launcher's threads ask the API server. A connection for two requests at the same moment is opened when that first
# happens, on any day, and kept in the pool: it is bounded by the number of threads, whatever the number of rounds.
MORE_DESCRIPTORS = {WORKER: 0, LAUNCHER: 2}
LOOKS = 5
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Held:
    """What a process holds.

    Args:
        rounds: that it has taken in.
        descriptors, threads: how many.
        resident_mib: memory, MiB.
        own_mib: the part of it that is no file's, MiB: what leaks would be in. Most of the rest is torch's libraries.
    """

    rounds: int
    descriptors: int
    threads: int
    resident_mib: float
    own_mib: float

    @classmethod
    def at_rest(cls, rounds: int, pid: int) -> Self:
        """Look at a process some times: a request under way holds a connection that is nobody's growth.

        Raises:
            OSError: it is gone.
        """
        looks = []
        for _ in range(LOOKS):
            looks.append(cls.read(rounds, pid))
            time.sleep(LOOK_SECONDS)
        return min(looks, key=lambda held: (held.descriptors, held.threads))

    @classmethod
    def read(cls, rounds: int, pid: int) -> Self:
        """Look at a process once.

        Raises:
            OSError: it is gone.
        """
        folder = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        resident, own = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
        return cls(rounds, len(list((folder / "fd").iterdir())), int(status["Threads"]), resident, own)


@dataclass(frozen=True)
class ProcessMeasured:
    """One process through all rounds.

    Args:
        engine: by which rounds were taken in.
        process: WORKER or LAUNCHER.
        samples: in the order of rounds; at least one after the warm-up.
    """

    engine: str
    process: str
    samples: Sequence[Held]

    @property
    def after_warm_up(self) -> list[Held]:
        """Samples that count."""
        return [held for held in self.samples if held.rounds >= WARM_UP_ROUNDS]

    @property
    def shown(self) -> list[Held]:
        """The first sample at or after each of the rounds that people read."""
        found = [next((it for it in self.samples if it.rounds >= rounds), None) for rounds in SHOWN_ROUNDS]
        return [held for number, held in enumerate(found) if held is not None and held not in found[:number]]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def judge_endurance(measured: Sequence[ProcessMeasured]) -> Iterator[Verdict]:
    """No growth of descriptors and threads, memory within its limit: from the end of the warm-up to the last round."""
    for each in measured:
        first, last = each.after_warm_up[0], each.after_warm_up[-1]
        who = f"{each.engine}, {each.process}, rounds {first.rounds} to {last.rounds}"
        yield Verdict(f"{who}: descriptors more", last.descriptors - first.descriptors, MORE_DESCRIPTORS[each.process])
        yield Verdict(f"{who}: threads more", last.threads - first.threads, 0)
        yield Verdict(f"{who}: growth of memory", last.resident_mib / first.resident_mib - 1, GROWTH_LIMIT)
        yield Verdict(f"{who}: growth of its own memory", last.own_mib / first.own_mib - 1, GROWTH_LIMIT)
