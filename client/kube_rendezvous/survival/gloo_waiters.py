"""Which threads of this process wait in gloo's collectives, by what the kernel says of them.

torch runs gloo's collectives in threads with a name of their own. One that has nothing to do waits without a limit; one
that waits for a peer waits for the collective timeout at most. The kernel shows the difference
(/proc/self/task/*/syscall), and how often a thread has slept. Where it does not tell, or the threads have no name (old
torch), nobody is seen to wait.
"""

import contextlib
import os
from pathlib import Path

_RUNNER = b"pt_gloo_runloop"  # its own bytes: the kernel cuts names off, within a letter too
_TASKS = Path("/proc/self/task")
# futex, and what it becomes when the process was stopped meanwhile: restart_syscall. linux/arch/*/syscall.tbl
_FUTEX_CALLS = {"x86_64": ("202", "219"), "aarch64": ("98", "128")}
_LIMIT_ARGUMENT = 4


def threads_that_wait() -> frozenset[str]:
    """Each with where it waits and how often it has slept before: the same text, later, is the same wait.

    From any thread.
    """
    calls = _FUTEX_CALLS.get(os.uname().machine, ())
    waiting = set()
    for task in _tasks() if calls else ():
        with contextlib.suppress(OSError):  # ended meanwhile, or the kernel does not tell
            if (task / "comm").read_bytes().strip() != _RUNNER:
                continue
            call = (task / "syscall").read_text().split()
            if call[0] in calls and int(call[_LIMIT_ARGUMENT], 16):
                waiting.add(f"{task.name} at {call[1]}, slept {_times_slept(task)} times")
    return frozenset(waiting)


def _tasks() -> list[Path]:
    with contextlib.suppress(OSError):
        return list(_TASKS.iterdir())
    return []  # no descriptor is free to look with


def _times_slept(task: Path) -> str:
    lines = (task / "status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches:"))
