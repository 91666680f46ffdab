"""Another commit's client, operator and definitions, in a folder of their own, to be measured or met beside ours."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_PARTS = ("client", "operator", "crds")


def check_out(commit: str, folder: Path) -> Path:
    """Put the commit's files there, unless they are.

    Args:
        commit: its name, as git understands it.
        folder: where a folder for it is made.

    Raises:
        subprocess.CalledProcessError: git has no such commit.
    """
    git = ["git", "-C", str(_REPOSITORY)]
    found = subprocess.run([*git, "rev-parse", f"{commit}^{{commit}}"], check=True, capture_output=True, text=True)
    into = folder.absolute() / found.stdout.strip()[:12]
    if not (into / "crds").is_dir():
        packed = subprocess.run([*git, "archive", found.stdout.strip(), *_PARTS], check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(into, filter="data")
    return into


def operator_path(commit: Path | None) -> dict[str, str]:
    """Environment with which Python finds the operator of a folder that `check_out` made; None: our own."""
    return {} if commit is None else _first_in_path(commit / "client", commit / "operator")


def client_path(commit: Path | None) -> dict[str, str]:
    """As `operator_path`, for its client alone, and so that this package is found as well."""
    return _first_in_path(*([] if commit is None else [commit / "client"]), _REPOSITORY / "tests")


def _first_in_path(*folders: Path) -> dict[str, str]:
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join([*map(str, folders), *filter(None, [before])])}
