"""What is done to the run, and when: pure and seeded, so that a run can be repeated."""

import random
from dataclasses import dataclass
from enum import StrEnum

from integration.handlers.bad_proxy import Mood


class Blow(StrEnum):
    """One thing that happens to the members or to the operator."""

    DEATH = "death"  # a member's process is gone without a word
    DELETION = "deletion"  # somebody deletes its Member object; the process goes on
    DEPARTURE = "departure"  # a member says that it leaves
    ARRIVAL = "arrival"  # a new member comes to a free place
    OPERATOR_KILL = "operator kill"  # SIGKILL; started again as by a Deployment
    OPERATOR_RESTART = "operator restart"  # SIGTERM, and started again
    OPERATOR_FREEZE = "operator freeze"  # SIGSTOP for some seconds
    BAD_PROXY = "bad proxy"  # what stands between members and API server lies, delays or cuts for some seconds


MEMBER_BLOWS = {Blow.DEATH: 6, Blow.DELETION: 4, Blow.DEPARTURE: 2, Blow.ARRIVAL: 12}
RESTARTS = {Blow.OPERATOR_KILL: 3, Blow.OPERATOR_RESTART: 1}
FREEZES = {Blow.OPERATOR_FREEZE: 1}
PROXIES = {Blow.BAD_PROXY: 2}
LONGEST_PAUSE = 1.5
LONGEST_FREEZE = 4.0
LONGEST_LIE = 6.0
"""Twice as long as a member may be silent: some are given up for lost, and come back."""
BAD_MOODS = tuple(mood for mood in Mood if mood is not Mood.GOOD)
BLOWS_BETWEEN_QUIET = (4, 14)


@dataclass(frozen=True)
class Step:
    """Wait, then strike.

    Args:
        pause: seconds before it.
        place: which of the places it is done to; -1: the operator, or all.
        seconds: how long a freeze or a proxy's mood lasts.
        mood: of the proxy.
    """

    pause: float
    blow: Blow
    place: int = -1
    seconds: float = 0.0
    mood: Mood = Mood.GOOD


class Plan:
    """Draws the next steps.

    Args:
        seed: of everything drawn.
        places: how many members there may be.
        fewest: how many there must always be, so that a round can stand.
        proxy: whether there is one that can behave badly.
    """

    def __init__(self, seed: int, places: int, fewest: int, *, proxy: bool) -> None:
        self._random = random.Random(seed)
        self._places = places
        self._fewest = fewest
        self._proxy = proxy

    def stretch(self, taken: frozenset[int], *, restarts: bool) -> list[Step]:
        """The steps until the next quiet point.

        Args:
            taken: the places that have a member now.
            restarts: whether the operator may be restarted in this stretch.
        """
        now = set(taken)
        steps = [self._step(now, restarts) for _ in range(self._random.randint(*BLOWS_BETWEEN_QUIET))]
        # A run that shrinks for ever tests little: each stretch ends with some who come.
        free = sorted(set(range(self._places)) - now)
        back = self._random.sample(free, self._random.randint(0, len(free)))
        return [*steps, *(Step(self._random.uniform(0, 0.2), Blow.ARRIVAL, place) for place in back)]

    def _step(self, now: set[int], restarts: bool) -> Step:
        blows = {**MEMBER_BLOWS, **FREEZES, **(PROXIES if self._proxy else {}), **(RESTARTS if restarts else {})}
        if len(now) <= self._fewest:
            del blows[Blow.DEATH], blows[Blow.DEPARTURE]
        if len(now) == self._places:
            del blows[Blow.ARRIVAL]
        # Half of the blows come right after one another: into the midst of a round that is being formed.
        pause = self._random.choice([0.0, self._random.uniform(0, LONGEST_PAUSE)])
        (blow,) = self._random.choices(list(blows), list(blows.values()))
        if blow in RESTARTS:
            return Step(pause, blow)
        if blow in FREEZES:
            return Step(pause, blow, seconds=self._random.uniform(0.5, LONGEST_FREEZE))
        if blow in PROXIES:
            seconds = self._random.uniform(0.5, LONGEST_LIE)
            return Step(pause, blow, seconds=seconds, mood=self._random.choice(BAD_MOODS))
        free = set(range(self._places)) - now
        place = self._random.choice(sorted(free if blow is Blow.ARRIVAL else now))
        if blow is Blow.ARRIVAL:
            now.add(place)
        elif blow is not Blow.DELETION:
            now.discard(place)
        return Step(pause, blow, place)
