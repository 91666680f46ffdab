"""Runs a program of the release."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rendezvous_release.errors import ReleaseError

SECONDS = 900.0


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run it to its end; return what it wrote to stdout.

    Args:
        command: program and arguments.
        what: for the error: "building the wheel".
        folder: working folder; None: ours.
        environment: variables beside ours.

    Raises:
        ReleaseError: it failed, or took longer than `SECONDS`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"{what}: {error}") from error
    if done.returncode != 0:
        raise ReleaseError(
            f"{what}: {' '.join(words[:6])} … ended with {done.returncode}: {done.stderr[-3000:].strip()}"
        )
    return done.stdout
