"""How long to wait before trying again."""

import random
from dataclasses import dataclass, field

_GROWTH = 4.0


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with jitter. Not thread-safe: one for each loop.

    It grows fast: a single failure is made good at once, but a state that stays costs an API server, which may be what
    is failing, few requests of each of N nodes.

    Args:
        first: upper bound of the first delay, seconds.
        limit: upper bound of every delay, seconds.
    """

    first: float = 0.1
    limit: float = 5.0
    _bound: float = field(default=0.0, init=False)

    def next_delay(self, at_least: float = 0.0, spent: float = 0.0) -> float:
        """Seconds to wait now.

        Args:
            at_least: what the server asked for (`Retry-After`), seconds.
            spent: seconds for which the try itself has waited in vain. They count as waited: who has hung for the whole
                time limit goes on nearly at once.
        """
        self._bound = min(self.limit, self._bound * _GROWTH or self.first)
        delay = random.uniform(self._bound / 2, self._bound)
        # Not without any: all that hung on the same proxy have the same time limit.
        return max(at_least, min(delay, random.uniform(0.0, self.first)), delay - spent)

    def reset(self) -> None:
        """Something worked: the next failure starts at `first` again."""
        self._bound = 0.0
