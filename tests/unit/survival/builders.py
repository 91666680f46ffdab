"""What the tests of in-process rounds are made of."""

import threading
from collections.abc import Sequence

from kube_rendezvous.survival.roster import Entry
from kube_rendezvous.survival.worker_place import WorkerPlace


def place(
    number: int = 1,
    *,
    node: int = 0,
    nodes: int = 1,
    local: int = 0,
    local_size: int = 1,
    uid: str = "uid",
    coordinator: str = "",
) -> WorkerPlace:
    """A worker's place in a round."""
    return WorkerPlace("default", "run", uid, number, node, nodes, local, local_size, "127.0.0.1", 1, coordinator)


def entry(node: int = 0, local: int = 0, progress: int = 0, *, new: bool = False) -> Entry:
    """What a worker says of itself."""
    return Entry(node, local, f"handle-{node}-{local}", progress, new)


class MemoryStore:
    """As much of a `Store` as rounds use, for the threads of a test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.values: dict[str, bytes] = {}

    def set(self, key: str, value: str | bytes) -> None:
        with self._lock:
            self.values[key] = _bytes(value)

    def get(self, key: str) -> bytes:
        return self.multi_get([key])[0]

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        """All of them must be there: a test never waits in the store itself."""
        with self._lock:
            return [self.values[key] for key in keys]

    def add(self, key: str, amount: int) -> int:
        with self._lock:
            total = int(self.values.get(key, b"0")) + amount
            self.values[key] = str(total).encode()
            return total

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        with self._lock:
            if self.values.get(key, b"") == expected.encode():
                self.values[key] = desired.encode()
            return self.values.get(key, expected.encode())

    def check(self, keys: Sequence[str]) -> bool:
        with self._lock:
            return all(key in self.values for key in keys)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
