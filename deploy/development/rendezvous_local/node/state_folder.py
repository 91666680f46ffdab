"""The node's folder: at most one living owner, and what a killed one left is seen by the next."""

import fcntl
import os
import time
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

LOCK = "owner"
ASKING_SECONDS = 2.0


class StateFolder:
    """Ownership of the node's folder.

    The owner holds a lock on a file in it, which also has its process number. The kernel lets go of the lock when the
    owner dies, however that happens.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = -1

    @property
    def exists(self) -> bool:
        return self.root.exists()

    @property
    def owned(self) -> bool:
        """Whether we own it."""
        return self._lock >= 0

    def owner(self) -> int | None:
        """Number of the process that runs the node; ``None`` when nobody does."""
        try:
            lock = os.open(self.root / LOCK, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(lock, 20) or b"0") or None
        else:
            return None
        finally:
            os.close(lock)

    def take(self) -> None:
        """Makes the folder if need be, and owns it from now on.

        Raises:
            LocalControlPlaneError: Another process owns it.
        """
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + ASKING_SECONDS
        while not _try_to_lock(lock):
            if self.owner() is not None or time.monotonic() > deadline:
                os.close(lock)
                raise LocalControlPlaneError(
                    f"a node runs on this machine already (process {self.owner()}, folder {self.root}). Use it, or end"
                    " it with `python -m rendezvous_local node down`"
                )
            time.sleep(0.01)  # somebody asks just now who owns it, which takes a lock too, for a moment
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def release(self) -> None:
        """Gives the ownership up; the folder stays as it is."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _try_to_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
