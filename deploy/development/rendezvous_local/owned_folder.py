"""A temporary folder that is removed at the end, or by the next one of us if we were killed."""

import fcntl
import os
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path

PREFIX = "kube-rendezvous-"
LOCK = "in-use"


class OwnedFolder:
    """A new folder only for this user, removed by ``remove()``, or when nobody knows of it any more.

    So a Ctrl-C while it is made leaves nothing.

    Its owner holds a lock on a file in it. A folder whose lock nobody holds was left by a process that was killed, and
    is removed when the next one is made.
    """

    def __init__(self) -> None:
        _remove_orphans(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(8)}"
        self._lock = -1
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        self.path.mkdir(mode=0o700)
        self._lock = os.open(self.path / f".{LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / f".{LOCK}").rename(self.path / LOCK)  # shown under its name only when the lock is held

    def remove(self) -> None:
        """Removes the folder with all that is in it; does nothing the second time."""
        self._end()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _remove_orphans(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR)
        except OSError:  # not one of ours, or of another user, or just being made
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
