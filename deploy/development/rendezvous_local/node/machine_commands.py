"""Runs the system's own small commands, such as ``ip`` and ``nft``."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

SECONDS = 60.0
# Commands for root lie in the sbin folders, which not every root shell has on its PATH.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def search_path(*first: Path) -> str:
    """A PATH with the folders ``first``, then our own, then the system's."""
    own = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*map(str, first), *filter(None, own), *SYSTEM_FOLDERS]))


def run(
    command: Sequence[str],
    *,
    text: str | None = None,
    seconds: float = SECONDS,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs ``command`` and returns its output.

    Args:
        command: Program and arguments.
        text: What it reads from stdin.
        seconds: How long it may take.
        environment: Variables to add to ours.

    Raises:
        LocalControlPlaneError: It is missing, failed or took too long; with what it wrote to stderr.
    """
    try:
        done = _start(command, text, seconds, environment or {})
    except OSError as error:
        raise LocalControlPlaneError(f"cannot run {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise LocalControlPlaneError(f"`{' '.join(command)}` did not end within {seconds:.0f} s") from error
    if done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LocalControlPlaneError(f"`{' '.join(command)}` failed (exit status {done.returncode}): {output}")
    return done.stdout


def try_to_run(command: Sequence[str]) -> str:
    """Runs ``command``, which a machine need not have; returns its output, "" when it is missing or failed."""
    try:
        return run(command)
    except LocalControlPlaneError:
        return ""


def run_quietly(command: Sequence[str]) -> bool:
    """Runs ``command`` for a clean-up, where its failure is no news; says whether it succeeded."""
    try:
        return _start(command, None, SECONDS, {}).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _start(
    command: Sequence[str], text: str | None, seconds: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=text if text is not None else "",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "PATH": search_path(), **environment},
    )
