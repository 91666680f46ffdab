"""A command that leaves no process behind, whoever started it and whatever signal ends us, but SIGKILL.

torchrun's workers lead sessions of their own: a signal for our group does not reach them, and the parent-death signal
that ends torchrun with us is not handed on to them. So the command runs in a child, and its parent does nothing but
wait. To that parent, a subreaper, Linux gives every orphan below it, and it kills those that are left at the end.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
ORDERLY_SECONDS = 60.0
KILL_SECONDS = 10.0
INTERRUPTED = 128 + signal.SIGINT
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_POLL_SECONDS = 0.01


def run_supervised(main: Callable[[], int], orderly_seconds: float = ORDERLY_SECONDS) -> NoReturn:
    """Run `main` and exit with its status, when nothing runs any more that it has started.

    In `main` the first of `ENDING` is a KeyboardInterrupt, if it is not ignored as after `nohup`; others do not
    disturb the cleaning up: `timeout` and make send it several times. To be called before there is a thread.

    Args:
        main: the command; its status is what it returns, 130 after such a signal.
        orderly_seconds: after such a signal; then it is killed.
    """
    ending = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # until both know what to do with them
    command = os.fork()
    if command:
        sys.exit(_supervise(command, ending, orderly_seconds))
    for number in ending:
        signal.signal(number, interrupt_once)
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != supervisor:  # it died before the line above
        os._exit(1)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def interrupt_once(number: int, frame: FrameType | None) -> NoReturn:
    """A handler of signals: a second one must not cut the cleaning up short, which has time limits of its own."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _supervise(command: int, ending: list[signal.Signals], orderly_seconds: float) -> int:
    """Hand signals on, and wait; returns the command's exit status."""

    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            os.kill(command, number)

    def hand_on(number: int, frame: FrameType | None) -> None:
        send(number)
        if signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            signal.setitimer(signal.ITIMER_REAL, orderly_seconds)

    for number in ending:
        signal.signal(number, hand_on)
    signal.signal(signal.SIGALRM, lambda *_: send(signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
    ended = status = 0
    while ended != command:
        ended, status = os.waitpid(-1, 0)  # orphans that have ended by themselves, too
    for number in (*ending, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    left = _kill_the_rest()
    if left:
        sys.stderr.write(f"processes {left} are still there {KILL_SECONDS:.0f} s after SIGKILL\n")
        return 1
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _kill_the_rest() -> list[int]:
    """SIGKILL to our children, and to theirs, which are ours next; returns those that the kernel does not let go of."""
    deadline = time.monotonic() + KILL_SECONDS
    while (left := list(_children())) and time.monotonic() < deadline:
        for child in left:
            with contextlib.suppress(PermissionError):  # it has become another user's
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(_POLL_SECONDS)
    return left


def _children() -> Iterable[int]:
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended just now
            if int(file.read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():  # a name may be any bytes
                yield int(file.parent.name)
