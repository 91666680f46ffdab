"""Trainers that start at once, because one process has imported torch for all of them: see `warm/server.py`."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from integration.handlers.eventually import eventually
from rendezvous_local.processes import ChildProcess

_HERE = Path(__file__).parent
IMPORT_SECONDS = 60.0


class WarmTrainers:
    """For use in a ``with`` statement, at whose end all of them end.

    Args:
        folder: for the socket and the log.
    """

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "warm"
        self._process = ChildProcess(
            "the server of warm trainers",
            [sys.executable, str(_HERE / "warm" / "server.py"), str(self._socket)],
            log=folder / "warm.log",
            environment={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(_HERE / "trainers"), *filter(None, sys.path)]),
                "OMP_NUM_THREADS": "1",
            },
        )

    @property
    def command(self) -> list[str]:
        """Starts a trainer; the trainer's arguments follow."""
        return [sys.executable, "-I", "-S", str(_HERE / "warm" / "client.py"), str(self._socket)]

    def __enter__(self) -> Self:
        self._process.start()
        eventually(self._is_up, "the imports of the warm trainers", IMPORT_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()

    def _is_up(self) -> bool:
        assert self._process.running, self._process.log_tail()
        return self._socket.exists()
