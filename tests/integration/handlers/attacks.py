"""How long and how much the attacks last: short in `make test`, at full length in `make attack`."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

FULL = os.environ.get("ATTACK") == "full"

FLOOD_SECONDS = 60.0 if FULL else 4.0
DEATHS = 10 if FULL else 3
HOSTILE_OBJECTS = 40_000 if FULL else 300
LARGE_OBJECTS = 60 if FULL else 20
LEAVING_AT_ONCE = 994 if FULL else 250
"""With the six that stay: as many as a round may have."""

FLOODERS = 3
"""Processes: more than the machines of continuous integration have cores."""
_TESTS = Path(__file__).parents[2]


class Flood:
    """Processes that do one thing again and again; how often they could is counted. For use in a ``with`` statement.

    Args:
        kubeconfig: of who floods, with a token.
        namespace: where.
        what: as in `flooder`.
    """

    def __init__(self, kubeconfig: Path, namespace: str, what: str) -> None:
        self._command = [sys.executable, "-m", "integration.handlers.flooder", str(kubeconfig), namespace, what]
        self._counts = [0] * FLOODERS
        self._processes: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._began = 0.0

    def __enter__(self) -> "Flood":
        path = os.pathsep.join(filter(None, [str(_TESTS), os.environ.get("PYTHONPATH")]))
        for which in range(FLOODERS):
            process = subprocess.Popen(
                [*self._command, str(which), str(FLOODERS)],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._processes.append(process)
            assert process.stdout is not None
            self._threads.append(threading.Thread(target=self._count, args=(which, process.stdout), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(10)

    @property
    def times(self) -> int:
        """How often so far."""
        return sum(self._counts)

    @property
    def seconds(self) -> float:
        """For how long so far: since the first of them was at work."""
        return time.monotonic() - self._began if self._began else 0.0

    def _count(self, which: int, lines: IO[str]) -> None:
        for line in lines:
            self._began = self._began or time.monotonic()
            self._counts[which] = int(line)
