"""Processes that a node leaves behind when it is killed: they are known by the node's folder on their command line."""

import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")
SECONDS = 10.0


def processes_of(root: Path, proc: Path = PROC) -> dict[int, str]:
    """Living programs of the node with folder ``root``, by number: shims, and whatever was started for this folder.

    Args:
        root: The node's folder.
        proc: Where the kernel shows processes.
    """
    found = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            state = (folder / "stat").read_text().rpartition(") ")[2][:1]
        except OSError:  # it has ended
            continue
        # A zombie is dead; whoever runs us names the folder at most in our environment, never in arguments.
        if state != "Z" and is_of_the_node(arguments, root):
            found[int(folder.name)] = arguments[0]
    return found


def is_of_the_node(arguments: list[str], root: Path) -> bool:
    """Whether a command line is that of a program of the node with folder ``root``.

    It is when the program is one that a node runs and one of its arguments is a path below ``root``. An editor or a
    ``tail`` that a person has opened on a log there is not.
    """
    name = Path(arguments[0]).name if arguments else ""
    if name not in PROGRAM_NAMES:
        return False
    below = f"{root}/"
    return any(argument.partition("=")[2].startswith(below) or argument.startswith(below) for argument in arguments[1:])


PROGRAM_NAMES = frozenset(
    {
        "containerd",
        "containerd-shim-runc-v2",
        "coredns",
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubelet",
    }
)


def kill_processes_of(root: Path, seconds: float = SECONDS) -> list[str]:
    """Kills the programs of the node and waits until they are gone; says which are not after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        left = processes_of(root)
        if not left or time.monotonic() > deadline:
            return [f"process {number} ({name})" for number, name in left.items()]
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
