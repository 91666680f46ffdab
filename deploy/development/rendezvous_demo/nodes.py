"""The nodes: one launcher each, killed as a machine dies, with everything that runs on it."""

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rendezvous_demo.errors import DemoError

MARK = "RENDEZVOUS_DEMO_NODE"
MARK_OF_ALL = "RENDEZVOUS_DEMO"
GONE_SECONDS = 10.0
STEP_SECONDS = 0.1  # with 12 steps in an epoch: 1.2 s, as if the model were large
_SCRIPTS = Path(sysconfig.get_path("scripts"))
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Launcher:
    """What a node is started with.

    Attributes:
        program: Its name, in the folder of this Python's scripts.
        arguments: For the node in this slot.
    """

    program: str
    arguments: Callable[[int, "NodeSettings"], list[str]]

    def shown(self, slot: int, settings: "NodeSettings") -> str:
        """The command line as a person would type it."""
        return shlex.join([self.program, *self.arguments(slot, settings)])


@dataclass(frozen=True)
class NodeSettings:
    """What all nodes have in common.

    Attributes:
        launcher: What starts and keeps the training.
        kubeconfig: The cluster.
        namespace: Of the Rendezvous.
        rendezvous: Its name.
        nodes: As in `--nnodes`.
        script: What they run; takes the options of `train_digits.py`.
        epochs: How long they train.
        folder: Shared by the nodes; each one's output goes to NAME.log in it.
    """

    launcher: Launcher
    kubeconfig: Path
    namespace: str
    rendezvous: str
    nodes: str
    script: Path
    epochs: int
    folder: Path

    @property
    def progress(self) -> Path:
        """To which every worker appends its steps."""
        return self.folder / f"{self.rendezvous}.progress.jsonl"

    @property
    def result(self) -> Path:
        """What the training came to."""
        return self.folder / f"{self.rendezvous}.result.json"

    @property
    def script_arguments(self) -> list[str]:
        """The script with its options."""
        return [
            os.path.relpath(self.script),
            f"--checkpoint={self.folder / f'{self.rendezvous}.checkpoint.pt'}",
            f"--epochs={self.epochs}",
            f"--step-seconds={STEP_SECONDS}",
            f"--progress={self.progress}",
            f"--result={self.result}",
        ]


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
        temporary = settings.folder / f"{name}.tmp"  # where torchrun leaves files
        temporary.mkdir()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(_SCRIPTS / settings.launcher.program), *settings.launcher.arguments(slot, settings)],
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
        """SIGKILL to the launcher and all that it started; returns when that was, on the monotonic clock.

        Raises:
            DemoError: The kernel did not let go of them.
        """
        self.killed = True
        # It must not start a worker between the list and the kill.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGSTOP)
        killed_at = time.monotonic()
        _kill_all_with(self._mark, self.name, self._process.poll)
        self._process.wait(GONE_SECONDS)
        return killed_at


def end_all(folder: Path) -> None:
    """SIGKILL to every node with this folder, and to all that they started; also to one that was being started when
    Ctrl-C came, and that nobody has got hold of.

    Raises:
        DemoError: The kernel did not let go of them.
    """
    _kill_all_with(f"{MARK_OF_ALL}={folder}".encode(), "the nodes", lambda: None)


def _kill_all_with(mark: bytes, whose: str, reap: Callable[[], object]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while pids := _processes_with(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap()
        if time.monotonic() > deadline:
            raise DemoError(f"{whose}: processes {pids} are still there {GONE_SECONDS:.0f} s after SIGKILL")
        time.sleep(0.005)


def _torchrun_arguments(slot: int, settings: NodeSettings) -> list[str]:
    return [
        f"--nnodes={settings.nodes}",
        "--nproc-per-node=1",
        "--rdzv-backend=kubernetes",
        f"--rdzv-id={settings.rendezvous}",
        f"--rdzv-endpoint={settings.namespace}",
        f"--rdzv-conf=slot={slot}",
        "--max-restarts=3",
        "--monitor-interval=0.1",
        *settings.script_arguments,
    ]


def _surviving_arguments(slot: int, settings: NodeSettings) -> list[str]:
    return [
        "run",
        f"--name={settings.rendezvous}",
        f"--namespace={settings.namespace}",
        f"--nnodes={settings.nodes}",
        f"--slot={slot}",
        "--keep-survivors",
        "--nproc-per-node=1",
        "--",
        sys.executable,
        *settings.script_arguments,
    ]


TORCHRUN = Launcher("torchrun", _torchrun_arguments)
KEEPS_SURVIVORS = Launcher("kube-rendezvous", _surviving_arguments)


def _environment(name: str, settings: NodeSettings) -> dict[str, str]:
    without_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
    return {
        "KUBECONFIG": str(settings.kubeconfig),
        MARK_OF_ALL: str(settings.folder),
        "POD_NAME": name,  # in a pod the downward API sets it
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",  # all nodes are on this machine, whose name need not resolve
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        "PYTHONUNBUFFERED": "1",
    }


def _processes_with(mark: bytes) -> list[int]:
    """Every process that inherited the mark, whoever its parent is; workers have sessions or groups of their own."""
    return [pid for pid, environment in _environments() if mark in environment.split(b"\0")]


def _environments() -> Iterable[tuple[int, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended just now, or another user's
            yield int(folder.name), (folder / "environ").read_bytes()


def _end_with(parent: int) -> Callable[[], None]:
    """The launcher gets SIGTERM, and ends its workers, when we die without a chance to end it."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: the child should do little

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
