"""What `ddp_trainer` has written, and what must hold for it whatever was lost meanwhile. Judgements are pure."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAMED = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a worker; what it does not say is 0 or ().

    Args:
        at: seconds of the machine's monotonic clock.
        pid: of the worker.
        did: start, took (a round), begin (a step), step (is done), end.
        step: number of the last step that is done.
        round, rank, world: where it works.
        epoch, indices: of the samples of the step that begins.
        weights: a sum over them after a step, the same for the same weights.
        loss: over all samples, at the end.
    """

    at: float
    pid: int
    did: str
    step: int
    round: int = 0
    rank: int = 0
    world: int = 0
    epoch: int = 0
    indices: tuple[int, ...] = ()
    weights: int = 0
    loss: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Line":
        """Read what the trainer wrote."""
        said: dict[str, Any] = json.loads(text)
        known = {name: said[name] for name in cls.__slots__ if name in said}
        return cls(**known | {"indices": tuple(said.get("indices", ()))})


class Trace:
    """The lines of one place for a worker (node and local rank), read as they come.

    Args:
        file: that the trainer writes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._lines: list[Line] = []

    @property
    def lines(self) -> Sequence[Line]:
        """All complete lines, of all processes that had this place."""
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._read)
                new, newline, _ = file.read().rpartition(b"\n")
            self._read += len(new) + len(newline)
            self._lines += [Line.parse(text) for text in new.decode().splitlines()]
        return self._lines

    @property
    def newest(self) -> Line:
        """The last line; of process 0 before there is one."""
        return (self.lines or [Line(0.0, 0, "", 0)])[-1]

    @property
    def pids(self) -> list[int]:
        """Of the processes that had this place, the present one last."""
        return list(dict.fromkeys(line.pid for line in self.lines))

    def forget_before(self, step: int) -> None:
        """Drop what was written before this step was done; the last line stays."""
        self._lines[:-1] = [line for line in self._lines[:-1] if line.step >= step]


def read_together(traces: Iterable[Trace]) -> list[Line]:
    """The lines of all of them while their processes go on: no step without the lines of all who did it.

    Each has written that it begins before any of them can be done. So of the steps that were done before the first
    trace is read everything is there; later ones may be in one trace only, the one that is read last.
    """
    now = time.monotonic()
    return [line for trace in traces for line in trace.lines if line.did != "step" or line.at <= now]


def steps_in(lines: Iterable[Line], number: int) -> list[Line]:
    """The steps that were done in a round."""
    return [line for line in lines if line.did == "step" and line.round == number]


def falls(lines: Iterable[Line]) -> list[str]:
    """Where a process went back by more than the one step that a loss may undo."""
    newest: dict[int, int] = {}
    found = []
    for line in lines:
        before = newest.get(line.pid, 0)
        if line.step < before - 1:
            found.append(f"process {line.pid} fell from step {before} to {line.step} in round {line.round}")
        newest[line.pid] = line.step
    return found


def unequal_weights(lines: Iterable[Line]) -> list[str]:
    """Steps after which two workers of a round had different weights."""
    seen: dict[tuple[int, int], set[int]] = defaultdict(set)
    for line in lines:
        if line.did == "step":
            seen[line.round, line.step].add(line.weights)
    return [
        f"after step {step} of round {number} there were {len(weights)} different weights"
        for (number, step), weights in sorted(seen.items())
        if len(weights) > 1
    ]


def steps_that_count(lines: Sequence[Line]) -> Mapping[int, int]:
    """Step -> the round that did it last. What an older round did of it was undone."""
    counted: dict[int, int] = {}
    for line in lines:
        if line.did == "step":
            counted[line.step] = max(line.round, counted.get(line.step, 0))
    return counted


def wrong_samples(lines: Sequence[Line], samples: int, batch: int) -> list[str]:
    """Samples that were repeated or left out in an epoch all of whose steps were done and seen."""
    counted = steps_that_count(lines)
    took: dict[int, Counter[int]] = defaultdict(Counter)
    steps: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        step = line.step + 1  # that begins
        if line.did == "begin" and counted.get(step) == line.round:
            took[line.epoch].update(line.indices)
            steps[line.epoch].add(step)
    once = Counter(range(samples))
    whole = [epoch for epoch, its in sorted(steps.items()) if len(its) == -(-samples // batch)]
    found = []
    for epoch in whole:
        repeated, left_out = (sorted(each.elements()) for each in (took[epoch] - once, once - took[epoch]))
        if repeated or left_out:
            found.append(f"epoch {epoch}: repeated {_some(repeated)}, left out {_some(left_out)}")
    return found


def _some(samples: list[int]) -> str:
    more = f" and {len(samples) - _NAMED} more" if len(samples) > _NAMED else ""
    return f"{samples[:_NAMED]}{more}"
