"""As the first process of a container we inherit what a trainer leaves behind, and nobody else would bury it.

Only that: the end of a child of our own belongs to the thread that waits for it. Were another one to take it, that
thread would not know how the child ended, or that it has.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

_lock = threading.Lock()
_ours: set[int] = set()


@contextlib.contextmanager
def children_of_ours() -> Iterator[set[int]]:
    """The processes that somebody here waits for: to be added with their start, to be discarded after their end.

    Nothing is buried meanwhile.
    """
    with _lock:
        yield _ours


def wait_for_children_here() -> None:
    """Undo what a parent may have left us: where SIGCHLD is ignored the kernel buries children, and nobody hears how
    they ended. From the main thread."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def bury_orphans() -> None:
    """Reap what has ended and was not started here. Children in our own process group are somebody's here, too."""
    if os.getpid() != 1:
        return
    with _lock:
        for pid in _ended_children():
            if pid not in _ours:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def _ended_children() -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone meanwhile
            # Bytes: a name is cut off anywhere, also within a letter.
            state, parent, group, *_ = process.read_bytes().rpartition(b")")[2].split()
            if (state, parent) == (b"Z", b"1") and int(group) != os.getpgrp():
                yield int(process.parent.name)
