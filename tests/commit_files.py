"""The files of another commit of this repository, in a folder of their own."""

import io
import subprocess
import tarfile
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]


def check_out(commit: str, folder: Path, *parts: str) -> Path:
    """Put the commit's files there, unless they are.

    Args:
        commit: its name, as git understands it.
        folder: where a folder for it is made.
        parts: top-level folders; all files if there are none.

    Raises:
        subprocess.CalledProcessError: git has no such commit.
    """
    git = ["git", "-C", str(_REPOSITORY)]
    found = subprocess.run([*git, "rev-parse", f"{commit}^{{commit}}"], check=True, capture_output=True, text=True)
    into = folder.absolute() / found.stdout.strip()[:12]
    if not (into / "crds").is_dir():
        packed = subprocess.run([*git, "archive", found.stdout.strip(), *parts], check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(into, filter="data")
    return into
