"""A store that moves on: torch's process group keeps the one that it was given, the rounds' stores come and go."""

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.gloo_addresses import Published, read_published, stand_in_for_the_absent
from kube_rendezvous.survival.roster_exchange import GivenUp, await_keys

_MOMENT_SECONDS = 1.0
_NEWEST_GROUPS = 8


class RoundStore(dist.Store):
    """Passes everything on to the present round's store. Waits come back when the round is over."""

    def __init__(self) -> None:
        super().__init__()
        self._present: Any = None
        self._given_up: GivenUp = lambda: False
        self._askers = 1
        self._published: list[Published] = []
        self.addresses: set[tuple[str, int]] = set()
        """Where members of this process's groups listen, this one among them: host and port."""
        self.stood_in = False
        """Whether a listener of this round's groups may keep connections that nobody waits for."""

    def move_on(self, store: Store | None, given_up: GivenUp, askers: int = 1) -> None:
        """Go over to another round's store; the old one is let go.

        Args:
            store: None: no round is held.
            given_up: ends each wait, a second later, with `RoundOverError`. Whoever has published its address is
                waited for, and should not be gone: groups of living members connect within milliseconds.
            askers: how many workers wait for the same keys.
        """
        self._present, self._askers = store, askers
        self._given_up = _a_moment_after(given_up)
        self._published = []
        self.addresses = set()
        self.stood_in = False

    def patient(self, seconds: float) -> Any:
        """See `AbandonableStore.patient`."""
        return self._store().patient(seconds)

    def groups_are_made(self) -> None:
        """All members of the groups so far have connected: nobody waits there for one who does not.

        gloo's listener keeps a connection that nobody waits for as long as it is there itself.
        """
        if not _connects_late():
            self._published = []

    def free_those_that_connect(self) -> None:
        """End the wait of this process's threads for peers that do not connect. From any thread; once a group."""
        waiting, self._published = self._published[-_NEWEST_GROUPS:], []
        for ours in waiting:
            self.stood_in = True
            stand_in_for_the_absent(ours)

    def _learn(self, value: str | bytes) -> Published | None:
        published = read_published(value) if isinstance(value, bytes) else None
        if published is not None:
            self.addresses.add((published.host, published.port))
        return published

    def _store(self) -> Any:
        if self._present is None:
            raise RoundOverError("no round is held")
        return self._present

    # torch's names and signatures.

    def set(self, key: str, value: str | bytes) -> None:
        """See torch."""
        ours = self._learn(value)
        if ours is not None:
            self._published.append(ours)
        self._store().set(key, value)

    def get(self, key: str) -> bytes:
        """See torch."""
        self.wait([key])
        value: bytes = self._store().get(key)
        self._learn(value)
        return value

    def add(self, key: str, value: int) -> int:
        """See torch."""
        total: int = self._store().add(key, value)
        return total

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        """See torch."""
        found: bytes = self._store().compare_set(key, expected, desired)
        return found

    def append(self, key: str, value: str | bytes) -> None:
        """See torch."""
        self._store().append(key, value)

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        """See torch."""
        self.wait(list(keys))
        values: list[bytes] = self._store().multi_get(keys)
        for value in values:
            self._learn(value)
        return values

    def multi_set(self, keys: Sequence[str], values: Sequence[str | bytes]) -> None:
        """See torch."""
        self._store().multi_set(keys, values)

    def check(self, keys: Sequence[str]) -> bool:
        """See torch."""
        found: bool = self._store().check(keys)
        return found

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """See torch; the time limit is the round's end."""
        await_keys(self._store(), list(keys), self._given_up, self._askers)

    def delete_key(self, key: str) -> bool:
        """See torch."""
        was_there: bool = self._store().delete_key(key)
        return was_there

    def num_keys(self) -> int:
        """See torch."""
        count: int = self._store().num_keys()
        return count

    def has_extended_api(self) -> bool:
        """See torch."""
        has: bool = self._store().has_extended_api()
        return has

    def set_timeout(self, timeout: timedelta) -> None:
        """See torch."""
        self._store().set_timeout(timeout)

    @property
    def timeout(self) -> timedelta:
        """See torch."""
        limit: timedelta = self._store().timeout
        return limit


def _connects_late() -> bool:
    """Whether members of a group connect only when they first use it (torch's own variable)."""
    return os.environ.get("TORCH_GLOO_LAZY_INIT", "").lower() in {"1", "y", "yes", "t", "true", "on"}


def _a_moment_after(given_up: GivenUp) -> GivenUp:
    since: float | None = None

    def still_given_up() -> bool:
        nonlocal since
        if since is None and given_up():
            since = time.monotonic()
        return since is not None and time.monotonic() - since >= _MOMENT_SECONDS

    return still_given_up
