"""Archives whose bytes follow from their content alone: no time of day, no owner, no order of a file system."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file of an archive.

    Args:
        name: its path there.
        content: bytes.
        executable: whether it can be run.
    """

    name: str
    content: bytes
    executable: bool = False


def tar_gz(entries: Iterable[Entry], epoch: int) -> bytes:
    """A `.tar.gz`.

    Args:
        entries: in any order.
        epoch: time of every file, in seconds since 1970.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in sorted(entries, key=lambda entry: entry.name):
            info = tarfile.TarInfo(entry.name)
            info.size = len(entry.content)
            info.mode = 0o755 if entry.executable else 0o644
            info.mtime = epoch
            archive.addfile(info, io.BytesIO(entry.content))
    return gzip.compress(raw.getvalue(), compresslevel=9, mtime=epoch)


def entries_of(archive: bytes) -> Iterator[Entry]:
    """The files of a `.tar.gz`."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        for info in files:
            content = files.extractfile(info)
            if content is not None:
                yield Entry(info.name, content.read(), bool(info.mode & 0o100))


def entries_below(folder: Path, prefix: str = "") -> Iterator[Entry]:
    """The files below a folder, each under `prefix`."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            executable = bool(file.stat().st_mode & 0o100)
            yield Entry(f"{prefix}{file.relative_to(folder)}", file.read_bytes(), executable)
