"""The lower layer of an image: what Debian's packages hold, unpacked; what their scripts would do is done here."""

import io
import subprocess
import tarfile
from collections.abc import Iterable

from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.platforms import PYTHON, Processor
from rendezvous_release.images.system_packages import SystemPackage
from rendezvous_release.images.tree import Node, Tree

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_MERGED = ("bin", "sbin", "lib", "lib64")  # live below usr
_DOCUMENTS = "usr/share/doc/"
_LEFT_OUT = (
    *("usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/", "usr/share/bug/"),
    *("usr/share/python3/", "usr/share/debconf/", "var/", "run/", "usr/sbin/", "etc/init.d/", "usr/share/i18n/"),
    *("usr/bin/py3",),
)
_OWN = {
    "etc/passwd": Node(
        b"root:x:0:0:root:/root:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/usr/sbin/nologin\n"
    ),
    "etc/group": Node(b"root:x:0:\nnonroot:x:65532:\n"),
    "etc/nsswitch.conf": Node(b"passwd: files\ngroup: files\nhosts: files dns\n"),
    "tmp": Node(mode=0o1777, folder=True),
    "var/tmp": Node(mode=0o1777, folder=True),
    "usr/bin/python": Node(link=f"python{PYTHON}"),
}


def system_tree(packages: Iterable[SystemPackage], processor: Processor) -> Tree:
    """The files of the packages.

    Raises:
        ReleaseError: one cannot be unpacked.
    """
    tree: dict[str, Node] = {}
    for package in packages:
        tree.update((path, node) for path, node in _unpacked(package) if _is_wanted(path, processor))
    for name in _MERGED:
        if any(path.startswith(f"usr/{name}/") for path in tree):
            tree[name] = Node(link=f"usr/{name}")
    roots = sorted(path for path in tree if path.startswith("usr/share/ca-certificates/mozilla/"))
    tree[CERTIFICATES] = Node(b"".join(tree[path].content for path in roots))
    return {**tree, **_OWN}


def _unpacked(package: SystemPackage) -> Iterable[tuple[str, Node]]:
    done = subprocess.run(["dpkg-deb", "--fsys-tarfile", package.file], capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise ReleaseError(f"unpacking {package.file.name}: {done.stderr.decode(errors='replace').strip()}")
    found: dict[str, Node] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for info in archive:
            path = merged(info.name.removeprefix("./").strip("/"))
            if info.issym():
                found[path] = Node(link=info.linkname)
            elif info.islnk():
                found[path] = found[merged(info.linkname.removeprefix("./"))]
            elif info.isfile():
                content = archive.extractfile(info)
                assert content is not None
                found[path] = Node(content.read(), mode=info.mode & 0o755)
    return found.items()


def merged(path: str) -> str:
    """Where a file lies on a system whose `/lib` is `/usr/lib`."""
    top, _, below = path.partition("/")
    return f"usr/{path}" if below and top in _MERGED else path


def _is_wanted(path: str, processor: Processor) -> bool:
    if path.startswith(_DOCUMENTS):
        return path.endswith("/copyright")
    # Character sets of the C library, which Python does not use.
    return not path.startswith((*_LEFT_OUT, f"usr/lib/{processor.triplet}/gconv/"))
