"""One trainer process in a process group of its own, which never outlives this process."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from kube_rendezvous.trainer_process.orphans import bury_orphans, children_of_ours

_HERE = Path(__file__).parent


class TrainerProcess:
    """Starts the command. Call it from a thread that lives as long as the process: the kernel ends the trainer with the
    thread that has started it.

    Args:
        command: program and arguments.
        environment: its whole environment.
        keep_open: file descriptors that it inherits, beside the standard three.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], keep_open: Sequence[int] = ()) -> None:
        with children_of_ours() as ours:
            self._process = subprocess.Popen(
                [*_python("exec_shim.py"), str(os.getpid()), *command],
                # In a group that is not the terminal's foreground, to read from a terminal would stop it for ever.
                stdin=subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None,
                env=dict(environment),
                pass_fds=tuple(keep_open),
                process_group=0,
            )
            ours.add(self._process.pid)
        self._lock = threading.Lock()
        self._reaped = False
        self._guardian = self._guard()

    @property
    def pid(self) -> int:
        """Of the trainer, and of its process group."""
        return self._process.pid

    def send(self, number: int) -> None:
        """Send a signal to the trainer and to everything that it has started, and wake what is stopped."""
        with self._lock:
            if self._reaped:
                return  # its number may be another's by now
            for each in (number, signal.SIGCONT):
                self._signal_group(each)

    def kill(self) -> None:
        """End the trainer and everything that it has started."""
        self.send(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the trainer has ended, and end what it has left behind.

        Returns:
            Its exit status as a shell says it: 128 + N for signal N.
        """
        # Not reaped yet: as long as it is a zombie, its number cannot be another group's.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._signal_group(signal.SIGKILL)
            status = self._process.wait()
            self._reaped = True
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait()
        with children_of_ours() as ours:
            ours.difference_update({self.pid, self._guardian.pid})
        bury_orphans()
        return status if status >= 0 else 128 - status

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _guard(self) -> subprocess.Popen[bytes]:
        # Signals that are blocked here stay so in it: what is sent to the group ends the trainer, and not its guardian.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            with children_of_ours() as ours:
                guardian = subprocess.Popen(
                    _python("guardian.py"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=self.pid,
                )
                ours.add(guardian.pid)
            return guardian
        except BaseException:
            self.kill()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _python(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(_HERE / script)]
