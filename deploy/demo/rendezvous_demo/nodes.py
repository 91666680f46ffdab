"""The nodes: one torchrun each, killed as a machine dies, with everything that runs on it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rendezvous_demo.errors import DemoError

MARK = "RENDEZVOUS_DEMO_NODE"
GONE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class NodeSettings:
    """What all nodes have in common.

    Attributes:
        kubeconfig: The cluster.
        namespace: Of the Rendezvous.
        rendezvous: Its name.
        nodes: As in `--nnodes`.
        script: What they run, with its arguments.
        folder: Shared by the nodes; each one's output goes to NAME.log in it.
    """

    kubeconfig: Path
    namespace: str
    rendezvous: str
    nodes: str
    script: Sequence[str]
    folder: Path


@dataclass(frozen=True)
class NodeFacts:
    """A node as it is now: `exit_status` is None while it runs, and negative if a signal ended it."""

    name: str
    killed: bool
    exit_status: int | None


class NodeProcess:
    """A running node. Start it from the main thread: it ends when the thread that started it does.

    Args:
        name: How its RendezvousMember's name begins, as the name of a pod would.
        slot: Its stable place; the replacement of a node takes the slot over.
        settings: What it has in common with the others.
    """

    def __init__(self, name: str, slot: int, settings: NodeSettings) -> None:
        self.name = name
        self.slot = slot
        self.log = settings.folder / f"{name}.log"
        self.killed = False
        mark = str(uuid.uuid4())
        self._mark = f"{MARK}={mark}".encode()
        temporary = settings.folder / f"{name}.tmp"  # torchrun leaves files in it
        temporary.mkdir()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(Path(sysconfig.get_path("scripts")) / "torchrun"), *torchrun_arguments(slot, settings)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **_environment(name, settings), "TMPDIR": str(temporary), MARK: mark},
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),
            )

    @property
    def facts(self) -> NodeFacts:
        return NodeFacts(self.name, self.killed, self._process.poll())

    def kill(self) -> float:
        """SIGKILL to torchrun and all that it started; returns when that was, on the monotonic clock.

        Raises:
            DemoError: The kernel did not let go of them.
        """
        self.killed = True
        # torchrun must not start a worker between the list and the kill.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGSTOP)
        killed_at = time.monotonic()
        deadline = killed_at + GONE_SECONDS
        while pids := _processes_with(self._mark):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name}: processes {pids} are still there {GONE_SECONDS:.0f} s after SIGKILL")
            time.sleep(0.005)
        self._process.wait(GONE_SECONDS)
        return killed_at


def torchrun_arguments(slot: int, settings: NodeSettings) -> list[str]:
    """What follows `torchrun` on the command line of a node."""
    return [
        f"--nnodes={settings.nodes}",
        "--nproc-per-node=1",
        "--rdzv-backend=kubernetes",
        f"--rdzv-id={settings.rendezvous}",
        f"--rdzv-endpoint={settings.namespace}",
        f"--rdzv-conf=slot={slot}",
        "--max-restarts=3",
        "--monitor-interval=0.1",
        *settings.script,
    ]


def _environment(name: str, settings: NodeSettings) -> dict[str, str]:
    without_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
    return {
        "KUBECONFIG": str(settings.kubeconfig),
        "POD_NAME": name,  # in a pod the downward API sets it
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",  # all nodes are on this machine, whose name need not resolve
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        "PYTHONUNBUFFERED": "1",
    }


def _processes_with(mark: bytes) -> list[int]:
    """Every process that inherited the mark, whoever its parent is; torchrun's workers have sessions of their own."""
    return [pid for pid, environment in _environments() if mark in environment.split(b"\0")]


def _environments() -> Iterable[tuple[int, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended just now, or another user's
            yield int(folder.name), (folder / "environ").read_bytes()


def _end_with(parent: int) -> Callable[[], None]:
    """torchrun gets SIGTERM, and ends its workers, when we die without a chance to end it."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: the child should do little

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
