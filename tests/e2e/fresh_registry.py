"""A registry with a release in it, a training image that somebody made of its wheel, and one without anything of it."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from rendezvous_local.binaries import find_or_build
from rendezvous_local.images.base import base_image
from rendezvous_local.programs import CRANE

SECONDS = 1500.0
TORCHRUN = "#!/usr/bin/python3\nfrom torch.distributed.run import main\nmain()\n"
PACKAGES = f"usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/dist-packages"


def make_release(version: str, registry: str, key: Path, output: Path, top: Path) -> None:
    """`make release`, as who has a checkout does it, for this machine's processor."""
    arguments = ["--version", version, "--registry", f"oci://{registry}", "--push", "--key", str(key)]
    fewer = ["--processor", "amd64", "--platform", "linux/amd64", "--python", "3.11"]
    command = [sys.executable, "-m", "rendezvous_release", "--output", str(output), *arguments, *fewer]
    _run(command, top)


def push_plain(registry: str, folder: Path) -> None:
    """An image of anybody's: with a shell, without this project and without torch."""
    _, archive = base_image()
    _run([str(find_or_build(CRANE)), "push", "--insecure", str(archive), _plain(registry)], folder)


def _plain(registry: str) -> str:
    return f"{registry}/plain:latest"


def push_trainer(wheel: Path, registry: str, folder: Path) -> None:
    """Do what the page's Dockerfile says, on top of the plain image; torch comes from a volume at `/opt/torch`, because
    it is 5 GB.

    Args:
        wheel: of the release.
        folder: an empty one.
    """
    packages = folder / "packages"
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), str(wheel)], folder)
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(packages, PACKAGES)
        _add(tar, f"{PACKAGES}/z.pth", "/opt/torch\n", 0o644)
        _add(tar, "usr/local/bin/torchrun", TORCHRUN, 0o755)
    base = ["--base", _plain(registry), "--new_layer", str(layer)]
    _run([str(find_or_build(CRANE)), "append", "--insecure", *base, "--new_tag", f"{registry}/trainer:latest"], folder)


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text), mode
    tar.addfile(info, io.BytesIO(text.encode()))


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
