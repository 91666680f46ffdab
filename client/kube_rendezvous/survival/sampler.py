"""Which samples a step takes, whatever the size of the world: no sample of an epoch is repeated or left out. No I/O.

The order of an epoch follows from the seed and the epoch alone; a step takes the next `global_batch` of it, and each
rank its share of those. All that has to survive a round is how many steps of the epoch are done, which is part of the
state that survivors share: a step that a loss has undone is taken again, by whoever is there then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """What one rank takes in one step.

    Args:
        indices: of its samples; may be empty when there are more ranks than samples.
        weight: by which to multiply the mean loss of these samples, so that the mean over all ranks (what
            DistributedDataParallel makes of gradients) is the mean over all samples of the step; 1 for equal shares, 0
            for an empty one.
    """

    indices: tuple[int, ...]
    weight: float


class ElasticSampler:
    """The samples of one step after the other, epoch by epoch.

    Args:
        length: of the data set.
        global_batch: samples of one step, of all ranks together; the last step of an epoch has what is left.
        seed: of the order; the same on all ranks.
        shuffle: whether epochs have an order of their own, or the data set's.

    Raises:
        ValueError: a number is below 1.
    """

    def __init__(self, length: int, global_batch: int, *, seed: int = 0, shuffle: bool = True) -> None:
        if length < 1 or global_batch < 1:
            raise ValueError(f"length={length}, global_batch={global_batch}: both must be at least 1")
        self._length = length
        self._global_batch = global_batch
        self._seed = seed
        self._shuffle = shuffle
        self._order: tuple[int, list[int]] = (-1, [])
        self.epoch = 0
        self.steps_done = 0

    @property
    def steps_an_epoch(self) -> int:
        """How many steps take all samples once."""
        return -(-self._length // self._global_batch)

    def share(self, rank: int, world_size: int) -> Share:
        """What this rank takes in the next step. To ask changes nothing.

        Args:
            rank, world_size: of the present round.
        """
        samples = self._step_samples()
        each, more = divmod(len(samples), world_size)
        begin = rank * each + min(rank, more)
        mine = samples[begin : begin + each + (1 if rank < more else 0)]
        return Share(tuple(mine), len(mine) * world_size / len(samples))

    def step_is_done(self) -> None:
        """The step counts: its gradients have been applied."""
        self.steps_done += 1
        if self.steps_done == self.steps_an_epoch:
            self.epoch, self.steps_done = self.epoch + 1, 0

    def shares(self, rank: int, world_size: int) -> Iterator[Share]:
        """The shares of the steps that are left of the epoch; `step_is_done` is called between them by the iterator,
        unless the body has called it: where something after the optimizer's step may fail, at once after that step."""
        epoch = self.epoch
        while self.epoch == epoch:
            before = self.steps_done
            yield self.share(rank, world_size)
            if (self.epoch, self.steps_done) == (epoch, before):
                self.step_is_done()

    def state_dict(self) -> dict[str, Any]:
        """What has to survive a round."""
        return {"epoch": self.epoch, "steps_done": self.steps_done, **self._identity}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            ValueError: the state is of a sampler whose steps take other samples.
        """
        others = [
            f"{name}={state[name]}, not {own}"
            for name, own in self._identity.items()
            if int(state.get(name, own)) != own  # former versions did not say
        ]
        if others:
            raise ValueError(
                f"the state is of a sampler with {'; '.join(others)}: its steps take other samples. Make this one as "
                "that was, or begin with an epoch: set `epoch`, and load nothing"
            )
        self.epoch, self.steps_done = int(state["epoch"]), int(state["steps_done"])

    @property
    def _identity(self) -> dict[str, int]:
        """What makes the steps; numbers alone, which every kind of checkpoint can hold."""
        shuffle = int(self._shuffle)
        return {"length": self._length, "global_batch": self._global_batch, "shuffle": shuffle, "seed": self._seed}

    def _step_samples(self) -> list[int]:
        if self._order[0] != self.epoch:
            order = list(range(self._length))
            if self._shuffle:
                Random(f"{self._seed}/{self.epoch}").shuffle(order)
            self._order = (self.epoch, order)
        begin = self.steps_done * self._global_batch
        return self._order[1][begin : begin + self._global_batch]
