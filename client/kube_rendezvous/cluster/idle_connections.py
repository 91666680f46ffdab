"""Where urllib3 keeps the connections that are idle.

Its own is a `queue.LifoQueue`, which takes a lock of threads that may wait, although nobody waits here: a signal whose
handler raises, as torch's launcher's do, could leave it taken, and no request of the process would go out any more. It
is also filled with 64 places for each pool. Imports urllib3: to be imported with the first connection.
"""

import queue
from collections import deque
from typing import Any

import urllib3


class IdleConnections:
    """The newest is used first. What urllib3 asks of its queue, without a wait: each step is one of Python's own.

    Args:
        most: so many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.queue: deque[Any] = deque()

    def put(self, connection: Any, block: bool = True, timeout: float | None = None) -> None:
        """Keep it; None is a place for one, and needs none.

        Raises:
            queue.Full: there are as many.
        """
        if connection is None:
            return
        if len(self.queue) >= self._most:
            raise queue.Full
        self.queue.append(connection)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The newest.

        Raises:
            queue.Empty: there is none: a new one is to be made.
        """
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        """How many there are."""
        return len(self.queue)


class _HttpPool(urllib3.HTTPConnectionPool):
    QueueCls = IdleConnections  # type: ignore[assignment]


class _HttpsPool(urllib3.HTTPSConnectionPool):
    QueueCls = IdleConnections  # type: ignore[assignment]


def keep_idle_without_locks(pool: urllib3.PoolManager) -> None:
    """What this pool of pools opens from now on is kept in `IdleConnections`."""
    pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
