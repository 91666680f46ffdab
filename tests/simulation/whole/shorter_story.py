"""A broken schedule made short: fewer members and fewer blows, as long as the same invariant breaks.

Whatever is left out changes all that comes after it. So each schedule that breaks alike counts, and its story must not
be longer than the shortest so far.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulation.whole.invariants import BrokenError
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened

MOST_TRIES = 300


@dataclass(frozen=True)
class _Told:
    """One run. ``kind``: what broke, without names and numbers; "" for nothing."""

    kind: str
    lines: int
    blows: int
    members: int


class Shortener:
    """Finds a shorter story of one seed.

    Args:
        seed, faults, schedule: what is broken.
    """

    def __init__(self, seed: int, faults: frozenset[Fault], schedule: type[Scenario]) -> None:
        self._seed, self._faults, self._schedule = seed, faults, schedule
        self._tries = 0
        self._short, self._best = WHOLE, self._run(WHOLE)

    def shortest(self) -> Shortened:
        """The shortest that was found within `MOST_TRIES` schedules; nothing is left out if none breaks."""
        if not self._best.kind:
            return WHOLE
        for members in range(self._best.members - 1, 0, -1):
            self._takes(Shortened(members))
        self._leave_blows_out(list(range(1, self._best.blows + 1)))
        return self._short

    def _leave_blows_out(self, left: list[int]) -> None:
        """Halves, then quarters, and so on, of those that are left."""
        size = max(1, len(left) // 2)
        while left:
            for part in _parts(left, size):
                if self._takes(replace(self._short, without=self._short.without | set(part))):
                    left = [blow for blow in left if blow not in part and blow <= self._best.blows]
                    break
            else:
                if size == 1:
                    return
                size = max(1, size // 2)

    def _takes(self, short: Shortened) -> bool:
        """Whether this one breaks alike with no longer a story; then it is the shortest."""
        if self._tries >= MOST_TRIES:
            return False
        told = self._run(short)
        if told.kind != self._best.kind or told.lines > self._best.lines:
            return False
        self._short, self._best = short, told
        return True

    def _run(self, short: Shortened) -> _Told:
        self._tries += 1
        story: list[str] = []
        scenario = self._schedule(self._seed, self._faults, story.append, short)
        kind = ""
        try:
            scenario.run()
        except BrokenError as broken:
            kind = _kind(str(broken))
        return _Told(kind, len(story), scenario.blows, scenario.members)


def _kind(text: str) -> str:
    return re.sub(r"\S*\d\S*|\{.*\}|\[.*\]|\(.*\)", "", text)[:60]


def _parts(whole: list[int], size: int) -> Iterator[list[int]]:
    return (whole[at : at + size] for at in range(0, len(whole), size))
