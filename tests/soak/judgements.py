"""What must hold at quiet points and at the end: pure, on what was counted."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP_SECONDS = 20.0
GROWTH_MIB = 4.0
GROWTH_SHARE = 0.05
FEWEST_SAMPLES = 12


@dataclass(frozen=True)
class Sample:
    """Resident memory of one operator process.

    Args:
        pid: which process.
        age: seconds since it was first seen.
        mib: resident memory.
    """

    pid: int
    age: float
    mib: float


@dataclass(frozen=True)
class Growth:
    """Medians of the first and the last third of the longest life that was sampled, after the warm-up."""

    seconds: float
    first: float
    last: float

    @property
    def flat(self) -> bool:
        """Whether it grew by no more than 4 MiB and 5 %, whichever is more: what an allocator does by itself."""
        return self.last - self.first <= max(GROWTH_MIB, GROWTH_SHARE * self.first)


def growth(samples: Sequence[Sample]) -> Growth | None:
    """How the memory of the operator that lived longest changed; None: no one lived long enough to tell."""
    lives: dict[int, list[Sample]] = {}
    for sample in samples:
        if sample.age >= WARM_UP_SECONDS:
            lives.setdefault(sample.pid, []).append(sample)
    longest = max(lives.values(), key=lambda life: life[-1].age, default=[])
    if len(longest) < FEWEST_SAMPLES:
        return None
    third = len(longest) // 3
    return Growth(
        longest[-1].age - longest[0].age,
        statistics.median(sample.mib for sample in longest[:third]),
        statistics.median(sample.mib for sample in longest[-third:]),
    )


@dataclass(frozen=True)
class Standing:
    """One living member at a quiet point.

    Args:
        place: where.
        runs_in: the round in which it runs undisturbed; 0: none.
        member: name of its object.
        error: what ended it; "" if nothing did.
    """

    place: str
    runs_in: int
    member: str
    error: str = ""


def disorder(standing: Sequence[Standing], number: int, ranks: Sequence[str], objects: Sequence[str]) -> list[str]:
    """What is not as it should be once all blows are over; empty: all is well.

    Args:
        standing: the living members.
        number, ranks: the newest round.
        objects: names of the Member objects there are.
    """
    found = [f"the member at place {one.place} ended with {one.error}" for one in standing if one.error]
    found += [
        f"the member at place {one.place} ({one.member}) runs in round {one.runs_in}, and the newest is {number}"
        for one in standing
        if one.runs_in != number and not one.error
    ]
    living = {one.member for one in standing}
    if set(ranks) != living:
        found.append(f"round {number} ranks {sorted(ranks)}, and {sorted(living)} live")
    ghosts = sorted(set(objects) - living)
    if ghosts:
        found.append(f"there are Member objects of nobody: {ghosts}")
    return found


def leftovers(what: str, before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Things that were not there before and are there afterwards, as sentences."""
    rest = list(after)
    for one in before:
        if one in rest:
            rest.remove(one)
    return [f"{what} left over: {one}" for one in rest]
