"""Who sends which part of a sharded tensor to whom, when the shards of one layout become those of another. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a tensor: where it begins in each dimension, and how long it is there."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it has no elements; one of a scalar has."""
        return 0 in self.sizes

    def overlap(self, other: "Box") -> "Box":
        """What both have; may be empty."""
        begins = tuple(map(max, self.offsets, other.offsets))
        ends = map(min, self._ends, other._ends)
        return Box(begins, tuple(max(0, end - begin) for begin, end in zip(begins, ends, strict=True)))

    def without(self, other: "Box") -> list["Box"]:
        """What is left of it, in parts that do not overlap."""
        cut = self.overlap(other)
        if cut.is_empty:
            return [] if self.is_empty else [self]
        left, begins, ends = [], list(self.offsets), list(self._ends)
        for dimension, (cut_begin, cut_end) in enumerate(zip(cut.offsets, cut._ends, strict=True)):
            for begin, end in ((begins[dimension], cut_begin), (cut_end, ends[dimension])):
                if begin < end:
                    offsets = (*begins[:dimension], begin, *begins[dimension + 1 :])
                    all_ends = (*ends[:dimension], end, *ends[dimension + 1 :])
                    left.append(Box(offsets, tuple(e - o for o, e in zip(offsets, all_ends, strict=True))))
            begins[dimension], ends[dimension] = cut_begin, cut_end
        return left

    def within(self, outer: "Box") -> tuple[slice, ...]:
        """How to take it out of a tensor that holds `outer`."""
        begins = [mine - its for mine, its in zip(self.offsets, outer.offsets, strict=True)]
        return tuple(slice(begin, begin + size) for begin, size in zip(begins, self.sizes, strict=True))

    @property
    def _ends(self) -> tuple[int, ...]:
        return tuple(begin + size for begin, size in zip(self.offsets, self.sizes, strict=True))


@dataclass(frozen=True, slots=True)
class Transfer:
    """One part that goes from one rank to another, or stays.

    Args:
        source, target: ranks.
        held: the box of the source's tensor, of which `part` is taken.
        part: what goes.
    """

    source: int
    target: int
    held: Box
    part: Box


def plan_transfers(
    needed: Mapping[int, Box], held: Mapping[int, Sequence[Box]]
) -> tuple[list[Transfer], dict[int, list[Box]]]:
    """Say where each rank gets what it needs of one tensor: of its own if it can, else of the next rank that has it.

    Args:
        needed: by rank.
        held: by rank.

    Returns:
        The transfers, in an order in which all ranks can carry them out one by one; and what nobody holds, by rank.
    """
    transfers: list[Transfer] = []
    lacking: dict[int, list[Box]] = {}
    for target, box in sorted(needed.items()):
        left = [] if box.is_empty else [box]
        for source in _nearest(target, held):
            for holds in held[source]:
                parts = [part.overlap(holds) for part in left]
                transfers += [Transfer(source, target, holds, part) for part in parts if not part.is_empty]
                left = [rest for part in left for rest in part.without(holds)]
        if left:
            lacking[target] = left
    return transfers, lacking


def _nearest(rank: int, holders: Iterable[int]) -> list[int]:
    """Itself first, then the next higher ones: so that not all ask the same holder."""
    ordered = sorted(holders)
    return [each for each in ordered if each >= rank] + [each for each in ordered if each < rank]
