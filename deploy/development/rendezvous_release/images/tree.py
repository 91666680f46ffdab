"""A file system as a table, and the layer of an image that is made of it."""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """A file, a folder or a symbolic link.

    Args:
        content: of a file; empty for others.
        link: where a symbolic link points; empty for others.
        mode: permissions of a file or folder.
        folder: whether it is one.
    """

    content: bytes = b""
    link: str = ""
    mode: int = 0o644
    folder: bool = False


Tree = Mapping[str, Node]
"""Nodes by path, without the slash in front. Folders above a path need not be named."""


def layer(tree: Tree, epoch: int) -> tuple[bytes, bytes]:
    """The layer, as it is and compressed: bytes that follow from the tree and the time alone.

    Args:
        epoch: time of every file, in seconds since 1970.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, node in sorted(_with_folders(tree).items()):
            info = tarfile.TarInfo(path)
            info.mtime = epoch
            info.mode = node.mode
            if node.link:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, node.link, 0o777
            elif node.folder:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(node.content)
            archive.addfile(info, io.BytesIO(node.content))
    return raw.getvalue(), gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def write_below(tree: Tree, folder: Path) -> None:
    """Unpack it into a folder. Links that start at the top point into the folder then."""
    for path, node in sorted(_with_folders(tree).items()):
        target = folder / path
        if node.folder:
            target.mkdir(exist_ok=True)
        elif node.link:
            inside = f"{folder}{node.link}" if node.link.startswith("/") else node.link
            target.symlink_to(inside)
        else:
            target.write_bytes(node.content)
            target.chmod(node.mode)


def read_below(folder: Path) -> Iterator[tuple[str, Node]]:
    """The files below a folder by their paths there; links are left out."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            yield str(file.relative_to(folder)), Node(file.read_bytes(), mode=mode)


def _with_folders(tree: Tree) -> dict[str, Node]:
    whole = dict(tree)
    for path in tree:
        for above in Path(path).parents:
            if str(above) != ".":
                whole.setdefault(str(above), Node(mode=0o755, folder=True))
    return whole
