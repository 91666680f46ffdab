"""kubectl on the cluster under test."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

SECONDS = 120.0


class Kubectl:
    """Runs kubectl.

    Args:
        program: which.
        kubeconfig: of an administrator of the cluster.
        cache: a folder of its own for what kubectl keeps of the cluster's kinds.
    """

    def __init__(self, program: Path, kubeconfig: Path, cache: Path) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        self._cache = cache

    @property
    def command(self) -> list[str]:
        """The start of a command line."""
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._cache}"]

    @property
    def environment(self) -> dict[str, str]:
        """Ours, without the reader's own kubectl settings."""
        return {**os.environ, "KUBERC": "off"}

    def try_(self, *arguments: str, stdin: str = "", seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        return subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str = "", seconds: float = SECONDS) -> str:
        """Run it and return its output.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        done = self.try_(*arguments, stdin=stdin, seconds=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} failed: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run it with ``-o json`` and parse its output."""
        answer: dict[str, Any] = json.loads(self(*arguments, "-o", "json"))
        return answer
