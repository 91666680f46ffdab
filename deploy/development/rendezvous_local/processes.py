"""Child processes that never outlive this one."""

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

Popen = subprocess.Popen[bytes]
PR_SET_PDEATHSIG = 1
TERMINATE_SECONDS = 10.0
KILL_SECONDS = 5.0


class ChildProcess:
    """One program in a session of its own: Ctrl-C in the terminal reaches only us, and we stop things in order.

    On Linux the kernel kills the child when this process dies, however that happens.

    Args:
        name: What messages call it.
        command: Program and arguments.
        log: File to append its output to; ``None`` sends the output to our own stderr.
        environment: The child's whole environment; ``None`` means ours.
        folder: Its working folder; ``None`` means ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path | None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = environment
        self._folder = folder
        self._spawned: Future[Popen] | None = None

    def start(self) -> None:
        """Starts the program, again if it ran before.

        Raises:
            LocalControlPlaneError: It runs already, or cannot be executed.
        """
        if self.running:
            raise LocalControlPlaneError(f"{self.name} runs already (process {self.pid}); stop it first")
        # Kept before it is waited for: stop() then finds the child even if Ctrl-C comes in between.
        self._spawned = _spawner(os.getpid()).submit(self._spawn)
        try:
            self._spawned.result()
        except OSError as error:
            self._spawned = None
            raise LocalControlPlaneError(f"cannot start {self.name}: {self._command[0]}: {error.strerror}") from error

    @property
    def pid(self) -> int | None:
        """Number of the newest process, also after its end; ``None`` before the first start."""
        return self._spawned.result().pid if self._spawned else None

    @property
    def running(self) -> bool:
        return self._spawned is not None and self._spawned.result().poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit status of the newest process, negative for a signal; ``None`` while it runs or never ran."""
        return self._spawned.result().poll() if self._spawned else None

    def wait(self, seconds: float | None = None) -> bool:
        """Waits at most ``seconds`` for the end of the process; says whether it has ended."""
        if self._spawned is None:
            return True
        try:
            self._spawned.result().wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process and to those that it started; does nothing when it has ended."""
        if self.running and self.pid is not None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return

    def pause(self) -> None:
        """Freezes the process: it keeps its connections and does nothing."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a frozen process go on."""
        self.send(signal.SIGCONT)

    def stop(self, terminate_seconds: float = TERMINATE_SECONDS) -> None:
        """Ends the process with SIGTERM, after ``terminate_seconds`` with SIGKILL, and returns when it is gone."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a paused process would never see the SIGTERM
        if not self.wait(terminate_seconds):
            self.kill()

    def kill(self) -> None:
        """Ends the process with SIGKILL and returns when it is gone.

        Raises:
            LocalControlPlaneError: The kernel did not let go of it within 5 s.
        """
        self.send(signal.SIGKILL)
        if not self.wait(KILL_SECONDS):
            raise LocalControlPlaneError(
                f"{self.name} (process {self.pid}) is still there {KILL_SECONDS:.0f} s after SIGKILL"
            )

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log file, to show in an error."""
        if self.log is None or not self.log.exists():
            return "(its output is above)" if self.log is None else "(no log)"
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64 * 1024))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

    def _spawn(self) -> Popen:
        output = os.dup(2) if self.log is None else os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        finally:
            os.close(output)


def _die_with(parent: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(
        None, use_errno=True
    ).prctl  # looked up before the fork: the child should do as little as it can

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return in_child


class _Spawner:
    """Starts every child from one thread that lives as long as this process.

    Linux sends the parent-death signal when the *thread* that forked ends, so a child started from a short-lived thread
    would die with that thread.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Popen], Callable[[], Popen]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="child process spawner", daemon=True).start()

    def submit(self, job: Callable[[], Popen]) -> Future[Popen]:
        future: Future[Popen] = Future()
        self._jobs.put((future, job))
        return future

    def _run(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)


@cache
def _spawner(process: int) -> _Spawner:
    """The spawner of the process with this number: a forked copy of us needs a thread of its own."""
    return _Spawner()
