"""kubectl, shown as the reader would type it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from rendezvous_demo.errors import DemoError

KUBECTL_SECONDS = 60.0


class Kubectl:
    """Runs kubectl.

    Args:
        program: The executable.
        kubeconfig: The cluster.
        cache: Folder for what it learns of the cluster.
        say: Is given each command line before it runs.
    """

    def __init__(self, program: Path, kubeconfig: Path, cache: Path, say: Callable[[str], None]) -> None:
        self._common = [str(program), f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}"]
        self._say = say

    def __call__(self, *arguments: str) -> str:
        """Run it and return what it printed.

        Raises:
            DemoError: It failed, or took more than 60 s.
        """
        shown = f"kubectl {' '.join(arguments)}"
        self._say(f"$ {shown}")
        try:
            done = subprocess.run(
                [*self._common, *arguments],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "KUBERC": "off"},
                capture_output=True,
                text=True,
                timeout=KUBECTL_SECONDS,
                check=False,
                start_new_session=True,  # Ctrl-C must not end it while we clean up
            )
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"`{shown}` has not ended within {KUBECTL_SECONDS:.0f} s") from error
        if done.returncode != 0:
            raise DemoError(f"`{shown}` failed: {done.stderr.strip()}")
        return done.stdout.strip()
