"""The operator as a process that is started again when it ends unasked, as a Deployment would do it."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.readiness import answers_ok, page, wait_until_ready

READY_SECONDS = 30.0
FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 5.0
GOOD_LIFE_SECONDS = 10.0  # whoever lived so long is started again at once
MODULE = "kube_rendezvous_operator"


class OperatorProcess:
    """``python -m kube_rendezvous_operator`` against one cluster, for use in a ``with`` statement.

    Args:
        kubeconfig: The cluster, and who the operator is there.
        log: File to append its output to; ``None`` sends the output to our own stderr.
        arguments: More arguments for the operator.
        environment: Variables to add to ours.
        module: What runs, if not the operator as it is.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        log: Path | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        module: str = MODULE,
    ) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        self._process = ChildProcess(
            "the operator",
            [sys.executable, "-m", module, f"--http={self._address}", *arguments],
            log=log,
            environment={**_environment(kubeconfig), **(environment or {})},
        )
        self._asked_to_end = threading.Event()
        self._supervisor: threading.Thread | None = None
        self.exit_codes: list[int | None] = []  # of each time that it ended unasked

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Number of the newest process; ``None`` before the first start."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    @property
    def exit_code(self) -> int | None:
        """Exit status of the newest process; ``None`` while it runs."""
        return self._process.exit_code

    @property
    def restarts(self) -> int:
        """How often it ended unasked."""
        return len(self.exit_codes)

    def page(self, path: str) -> str:
        """What its HTTP server answers, such as ``page("/metrics")``; "" if it does not answer."""
        return page(f"http://{self._address}{path}")

    def start(self) -> None:
        """Starts the operator and waits until it is ready; after ``kill()`` or ``stop()`` it may be called again.

        Raises:
            LocalControlPlaneError: It ended at once or was not ready within 30 s; with the end of its log.
        """
        if self._supervisor is not None:
            raise LocalControlPlaneError(f"the operator runs already (process {self.pid})")
        try:
            self._process.start()
            # Before anybody restarts it: an operator that cannot start is an error to show.
            wait_until_ready("the operator", self._is_ready, seconds=READY_SECONDS, processes=[self._process])
        except BaseException:
            self._process.stop()
            raise
        self._asked_to_end.clear()
        self._supervisor = threading.Thread(target=self._keep_running, name="operator supervisor", daemon=True)
        self._supervisor.start()

    def stop(self) -> None:
        """Ends the operator with SIGTERM (SIGKILL after 10 s) for good, and returns when it is gone."""
        self._end(self._process.stop)

    def kill(self) -> None:
        """Ends the operator with SIGKILL and does not start it again; returns when it is gone."""
        self._end(self._process.kill)

    def crash(self) -> None:
        """Ends the operator with SIGKILL; it is started again at once, as by a Deployment."""
        self._process.kill()

    def wait_until_ready(self) -> None:
        """Waits until the operator says that it is ready (a standby is, too), across restarts.

        Raises:
            LocalControlPlaneError: It did not within 30 s; with the end of its log.
        """
        wait_until_ready("the operator", self._is_ready, seconds=READY_SECONDS, processes=[self._process], may_end=True)

    def pause(self) -> None:
        """Freezes the operator."""
        self._process.pause()

    def resume(self) -> None:
        """Lets a frozen operator go on."""
        self._process.resume()

    def _is_ready(self) -> bool:
        return answers_ok(f"http://{self._address}/readyz")

    def _end(self, end: Callable[[], None]) -> None:
        self._asked_to_end.set()
        end()
        if self._supervisor is not None:
            self._supervisor.join()
            self._supervisor = None
            end()  # it may have been starting the process just now

    def _keep_running(self) -> None:
        pause = FIRST_RESTART_SECONDS
        while True:
            began = time.monotonic()
            self._process.wait()
            if time.monotonic() - began >= GOOD_LIFE_SECONDS:
                pause = FIRST_RESTART_SECONDS
            if self._asked_to_end.wait(pause):
                return
            pause = min(2 * pause, LONGEST_RESTART_SECONDS)
            self.exit_codes.append(self._process.exit_code)
            sys.stderr.write(f"the operator ended with exit status {self._process.exit_code}: starting it again\n")
            self._process.start()


def _environment(kubeconfig: Path) -> dict[str, str]:
    no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
    return {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "PYTHONUNBUFFERED": "1",
    }
