"""The clients' watch of the Rendezvous, which lags, repeats itself and is cut."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from simulation.whole.world import World

MOST_LAG_SECONDS = 1.5


class Listener(Protocol):
    """What a watch tells; as the client library's `WatchListener`."""

    def relisted(self, objects: list[Any]) -> None: ...
    def changed(self, obj: Any) -> None: ...
    def removed(self, obj: Any) -> None: ...
    def troubled(self) -> None: ...
    def connected(self) -> None: ...


class Watch:
    """One watch stream: events come in order, each late by a random time, some twice; after a cut there is a list."""

    def __init__(self, world: World, listener: Listener) -> None:
        self.world, self._listener = world, listener
        self._epoch = 0
        self._open = self._listed = False
        self._last = 0.0
        self._under_way: deque[float] = deque()
        self._current_until = -1.0
        self.first_listed: float | None = None
        self.list_began = 0.0
        world.watches.append(self)
        world.after(world.rng.uniform(0.01, 0.2), self._begin(0))

    @property
    def current_until(self) -> float:
        """All that happened before has been told."""
        if self._under_way:
            return max(self._current_until, self._under_way[0]) if self._listed else self._current_until
        return self.world.seconds if self._open and self._listed else self._current_until

    def stop(self) -> None:
        """Hear nothing any more."""
        self._epoch += 1
        self._open = False
        if self in self.world.watches:
            self.world.watches.remove(self)

    def cut(self, seconds: float) -> None:
        """Lose what is under way and hear nothing for so long."""
        self._current_until = self.current_until
        self._epoch += 1
        self._open = self._listed = False
        self._under_way.clear()
        self._listener.troubled()
        self.world.after(seconds + 0.01, self._begin(self._epoch))

    def push(self, obj: Any, *, removed: bool) -> None:
        """Something has changed."""
        if not self._open:
            return
        tell = self._listener.removed if removed else self._listener.changed
        self._send(lambda: tell(obj))
        if self.world.rng.random() < 0.03:
            self._send(lambda: tell(obj))

    def _send(self, tell: Callable[[], None]) -> None:
        rng, epoch = self.world.rng, self._epoch
        lag = rng.uniform(0.2, MOST_LAG_SECONDS) if rng.random() < 0.1 else rng.uniform(0.001, 0.05)
        self._last = max(self._last, self.world.seconds + lag)
        self._under_way.append(self.world.seconds)

        def arrive() -> None:
            if epoch == self._epoch:
                sent = self._under_way.popleft()
                if self.first_listed is None:
                    self.first_listed = sent
                self._listed = True
                tell()

        self.world.at(self._last, arrive)

    def _begin(self, epoch: int) -> Callable[[], None]:
        def begin() -> None:
            if epoch != self._epoch:
                return
            if self.world.away:
                self.world.after(0.5, begin)
                return
            world = self.world
            there = world.listed()
            self.list_began = world.seconds
            self._open, self._last = True, world.seconds

            def tell() -> None:
                self._listener.relisted(there)
                self._listener.connected()

            self._send(tell)

        return begin
