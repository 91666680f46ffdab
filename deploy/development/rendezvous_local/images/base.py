"""A base image with Python, made of Debian packages: for machines that reach a mirror of those, and no registry."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rendezvous_local.binaries import cache_folder, only_one_makes
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.apt_sources import Source, own_source
from rendezvous_local.images.archive import write_image
from rendezvous_local.node.machine_commands import run, search_path
from rendezvous_local.node.mounts import unmount_below
from rendezvous_local.node.system_packages import FOR_IMAGES, install_missing, require_root
from rendezvous_local.processes import ChildProcess
from rendezvous_local.progress import Progress

RECIPE = "1"  # goes up with every change of what is in the image
PACKAGES = ("python3", "python3-pip", "ca-certificates")
# Of no use in an image.
UNWANTED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
)
# Debian's release that brings a Python; another minor version cannot load this environment's compiled modules.
DEBIAN_BY_PYTHON = {(3, 11): "bookworm", (3, 13): "trixie"}
DEBIAN_RELEASES = ("bullseye", "bookworm", "trixie", "forky")
NAME = "localhost/kube-rendezvous/python"


def base_image(environment: Mapping[str, str] = os.environ) -> tuple[str, Path]:
    """The name and the archive of the base image, made now if the cache does not have it.

    Raises:
        LocalControlPlaneError: It could not be made, or this is not root.
    """
    source = fitting_source(own_source())
    name = f"{NAME}:{source.suite}-{_fingerprint(source)}"
    archive = cache_folder(environment) / "images" / f"python-{source.suite}-{_fingerprint(source)}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    if not archive.exists():
        with only_one_makes(archive):
            if not archive.exists():
                _make(name, archive, source)
    return name, archive


def fitting_source(own: Source, python: tuple[int, int] = sys.version_info[:2]) -> Source:
    """The source of the Debian release with our Python's minor version; this machine's own release if none is known."""
    fitting = DEBIAN_BY_PYTHON.get(python)
    if fitting is None or own.suite not in DEBIAN_RELEASES:
        return own
    return Source(own.mirror, fitting, own.components)


def _make(name: str, archive: Path, source: Source) -> None:
    require_root()
    install_missing(FOR_IMAGES)
    work = Path(tempfile.mkdtemp(prefix=".base-", dir=archive.parent))
    tree = work / "tree"
    log = archive.with_suffix(".log")
    log.unlink(missing_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    builder = ChildProcess(
        "debootstrap",
        [*command, source.suite, str(tree), source.mirror],
        log=log,
        environment={**os.environ, "PATH": search_path()},
    )
    try:
        with Progress(f"making a base image of Debian {source.suite} with Python", "only the first time") as progress:
            builder.start()
            while not builder.wait(1.0):
                progress.tick()
            if builder.exit_code != 0:
                raise LocalControlPlaneError(
                    f"debootstrap failed (exit status {builder.exit_code}) with the mirror {source.mirror}. The end of"
                    f" its output (all of it: {log}):\n{builder.log_tail(15)}\nOr name a base image that your image"
                    " tool can pull or has already: BASE=…"
                )
            _trim(tree)
            layer = work / "layer.tar"
            run(["tar", "--numeric-owner", "-C", str(tree), "-cf", str(layer), "."], seconds=300)
            path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            write_image(archive, name, layer, command=["python3"], environment={"PATH": path, "LANG": "C.UTF-8"})
            log.unlink(missing_ok=True)
    finally:
        builder.stop()
        if not unmount_below(work):  # else it would be emptied through a mount
            shutil.rmtree(work, ignore_errors=True)


def _trim(tree: Path) -> None:
    for unwanted in UNWANTED:
        shutil.rmtree(tree / unwanted, ignore_errors=True)
        (tree / unwanted).mkdir(parents=True)
    for marker in (tree / "usr" / "lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()  # an image is nobody's system: pip may install into it, as in the usual Python images
    (tree / "usr" / "bin" / "python").symlink_to("python3")
    (tree / "etc" / "resolv.conf").unlink(missing_ok=True)  # this machine's, copied by debootstrap


def _fingerprint(source: Source) -> str:
    return hashlib.sha256("\n".join([RECIPE, source.suite, *PACKAGES]).encode()).hexdigest()[:12]
