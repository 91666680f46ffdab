"""Runs a command that dies with the process that started it: ``python -I -S exec_shim.py PARENT_PID COMMAND…``.

A program of its own, because the kernel's parent-death signal has to be asked for after the fork, where a process with
threads should not run Python. Imports little: it stands between a new round and the trainer's start.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def _main() -> int:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        return 128 + signal.SIGKILL
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # `kube-rendezvous run` hears them in a thread made for it
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except FileNotFoundError as error:
        sys.stderr.write(f"kube-rendezvous: {command[0]}: {error.strerror}\n")
        return NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"kube-rendezvous: {command[0]}: {error.strerror}\n")
        return NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(_main())
