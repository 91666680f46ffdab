"""Who is in a round, worker by worker: what the node ranks of a status cannot say. No I/O.

Every worker writes one entry; the worker that serves the store puts them in order and writes the roster once. Whoever
sees the roster sees all of it, as with a round's status. It also says who has the newest state, so that no collective
is needed to find out.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Entry:
    """One worker.

    Args:
        node_rank, local_rank: its place.
        handle: by which its peers' process groups know it; "" where the engine needs none.
        progress: how far it has come, in whatever it counts (steps); of two survivors with the same progress the state
            is the same.
        newcomer: it has held no round before, or was not given the state in any: it has none to give.
    """

    node_rank: int
    local_rank: int
    handle: str
    progress: int
    newcomer: bool

    def to_bytes(self) -> bytes:
        """For the store."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, written: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(**json.loads(written))


@dataclass(frozen=True, slots=True)
class Roster:
    """All workers of a round: `entries[rank]`, node by node, so that ranks of workers are as sticky as those of nodes.

    Raises:
        ValueError: there is none.
    """

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise ValueError("a round has at least one worker")

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """Bring entries into the order of ranks."""
        return cls(tuple(sorted(entries, key=lambda entry: (entry.node_rank, entry.local_rank))))

    @property
    def world_size(self) -> int:
        """How many workers the round has."""
        return len(self.entries)

    @property
    def handles(self) -> list[str]:
        """Of all workers, in the order of their ranks."""
        return [entry.handle for entry in self.entries]

    @property
    def newcomers(self) -> tuple[int, ...]:
        """Ranks of those that have held no round before."""
        return tuple(rank for rank, entry in enumerate(self.entries) if entry.newcomer)

    def rank_of(self, node_rank: int, local_rank: int) -> int:
        """Of the worker in this place.

        Raises:
            ValueError: there is none.
        """
        places = [(entry.node_rank, entry.local_rank) for entry in self.entries]
        return places.index((node_rank, local_rank))

    @property
    def state_source(self) -> int | None:
        """The rank whose state everybody goes on from: the survivor that has come furthest, the lowest rank of equals.

        Without a survivor it is the newcomer that has come furthest, by a checkpoint of its own. None: there is nothing
        to share, because all are equally far, and nobody is new beside survivors.
        """
        survivors = [rank for rank, entry in enumerate(self.entries) if not entry.newcomer]
        candidates = survivors or range(self.world_size)
        furthest = max(self.entries[rank].progress for rank in candidates)
        if len(candidates) == self.world_size and all(entry.progress == furthest for entry in self.entries):
            return None
        return next(rank for rank in candidates if self.entries[rank].progress == furthest)

    @property
    def lacking(self) -> tuple[int, ...]:
        """Ranks of those that need the state of `state_source`: survivors that did less, and newcomers."""
        source = self.state_source
        if source is None:
            return ()
        origin = self.entries[source]
        return tuple(
            rank
            for rank, entry in enumerate(self.entries)
            if entry.progress < origin.progress or (entry.newcomer and not origin.newcomer)
        )

    def to_bytes(self) -> bytes:
        """For the store."""
        return json.dumps([asdict(entry) for entry in self.entries]).encode()

    @classmethod
    def from_bytes(cls, written: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(tuple(Entry(**entry) for entry in json.loads(written)))
