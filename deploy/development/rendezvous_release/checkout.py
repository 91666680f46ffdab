"""The sources of a release: what is committed, with its version, and nothing else that lies about."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from rendezvous_release.errors import ReleaseError
from rendezvous_release.running import run
from rendezvous_release.stamping import EXAMPLES, PLACES, VALUES, placed, stamped

TOP = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Source:
    """A copy of the repository at one commit.

    Args:
        folder: where it lies.
        commit: its full id.
        epoch: when it was made, in seconds since 1970: the time of every file in every artifact.
        version: what was written into it.
    """

    folder: Path
    commit: str
    epoch: int
    version: str


def stage(folder: Path, version: str, repository: Path = TOP, *, place: str = "") -> Source:
    """Copy the newest commit, and write the version into it.

    Args:
        folder: an empty one.
        version: a checked one.
        repository: whose HEAD is released. What is not committed is left out.
        place: where the images will lie, for the chart and the examples; empty: as in the repository.

    Raises:
        ReleaseError: there is no git, or no commit.
    """
    commit = run(["git", "rev-parse", "HEAD"], "finding the commit", folder=repository).strip()
    epoch = int(run(["git", "show", "--no-patch", "--format=%ct", commit], "its time", folder=repository))
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit], cwd=repository, capture_output=True, check=True, timeout=120
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"git archive of {commit}: {error}") from error
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    for name in PLACES:
        file = folder / name
        file.write_text(stamped(name, file.read_text(), version))
    for name in (VALUES, *sorted(str(file.relative_to(folder)) for file in folder.glob(EXAMPLES))):
        file = folder / name
        file.write_text(placed(name, file.read_text(), place, version))
    return Source(folder, commit, epoch, version)
