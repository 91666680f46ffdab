"""The key-value store that the nodes of a round share: any object with these methods will do."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, overload, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """The part of ``torch.distributed.Store`` that torch's elastic agent uses.

    Arguments are positional, as in torch's compiled stores. Values go in as text or bytes, and come out as
    bytes. ``isinstance(x, Store)`` checks that the names are there, not their signatures.
    """

    @property
    def timeout(self) -> timedelta:
        """How long :meth:`get`, :meth:`multi_get` and :meth:`wait` wait for a missing key, then raise."""

    def set_timeout(self, timeout: timedelta, /) -> None:
        """Change :attr:`timeout`."""

    def set(self, key: str, value: str | bytes, /) -> None:
        """Write one value, over an older one if there is one."""

    def get(self, key: str, /) -> bytes:
        """Return a value; wait for it if it is not there yet."""

    def multi_set(self, keys: Sequence[str], values: Sequence[str | bytes], /) -> None:
        """Write ``values[i]`` to ``keys[i]`` for every i."""

    def multi_get(self, keys: Sequence[str], /) -> list[bytes]:
        """Return the values of all keys in their order; wait until every one is there."""

    def add(self, key: str, amount: int, /) -> int:
        """Add to a counter, which begins at 0, and return its new value."""

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes:
        """Write ``desired`` if the value is ``expected``, or if there is none and ``expected`` is empty.

        Returns:
            What holds afterwards: ``desired`` on success, else the value found.
        """

    @overload
    def wait(self, keys: Sequence[str], /) -> None: ...
    @overload
    def wait(self, keys: Sequence[str], timeout: timedelta, /) -> None:
        """Wait until all keys are there, for at most ``timeout`` (default: :attr:`timeout`), then raise."""

    def check(self, keys: Sequence[str], /) -> bool:
        """Tell, without waiting, whether all keys are there."""

    def delete_key(self, key: str, /) -> bool:
        """Remove a key; tell whether it was there."""

    def num_keys(self) -> int:
        """Count the keys, those that the store made for itself included."""
