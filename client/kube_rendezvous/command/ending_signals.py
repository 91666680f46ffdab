"""Hearing SIGTERM and the like without losing one.

Python runs a signal handler in the main thread, and only once that thread wakes up: a signal that the kernel gives to
another thread, or that comes just before the main thread goes to sleep, is heard much later or never. So these signals
are blocked everywhere, and one thread does nothing but wait for them.
"""

import signal
import threading
from collections.abc import Callable

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def hear_ending_signals(told: Callable[[int], None]) -> None:
    """Call ``told`` with each signal that asks this process to end, from now until its end. One that is ignored, as
    `nohup` does it, stays ignored.

    Call it from the main thread before there are others: they inherit what is blocked. Child processes do, too, and
    must unblock it (`trainer_process.exec_shim` does).
    """
    ending = {number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    if not ending:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)

    def wait() -> None:
        while True:
            told(signal.sigwait(ending))

    threading.Thread(target=wait, name="signals", daemon=True).start()
