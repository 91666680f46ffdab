"""Builds the images for the tests on the node, and loads them there."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.binaries import cache_folder, only_one_makes
from rendezvous_local.images.base import base_image
from rendezvous_local.images.build import CLIENT, OPERATOR, Image, build_image, fingerprint, run_tool
from rendezvous_local.images.tool import choose_tool, storage_configuration
from rendezvous_local.node.mounts import unmount_below
from rendezvous_local.node.node import Node
from rendezvous_local.node.system_packages import FOR_IMAGES, install_missing, require_root

KEPT = 3  # archives of each image in the cache: those of the newest sources


@dataclass(frozen=True)
class ImageNames:
    """Names of images, with tag, under which pods find them on the node.

    Attributes:
        operator: The operator's.
        client: The client's; its Python has the minor version of the base image.
        python: The base image: Python and pip, nothing else.
    """

    operator: str
    client: str
    python: str


def build_images(
    node: Node | None,
    environment: Mapping[str, str] = os.environ,
    *,
    operator: Image = OPERATOR,
    client: Image = CLIENT,
) -> ImageNames:
    """Builds the images, unless the cache has those of the very same sources, and loads them into ``node``.

    Each has a tag that stands for its content: a pod never gets an old one.

    Args:
        node: A running node; ``None`` only fills the cache, so that later calls are quick.
        environment: Says where the cache is.
        operator, client: What to build, if not what this checkout holds.

    Raises:
        LocalControlPlaneError: A build failed.
    """
    base, base_archive = base_image(environment)
    names = {}
    if node is not None:
        node.load_image(base_archive)
    for image in (operator, client):
        name = f"localhost/{image.name}:{fingerprint(image, base)}"
        archive = _archive(image, name, base, base_archive, environment)
        if node is not None:
            node.load_image(archive)
        names[image] = name
    return ImageNames(names[operator], names[client], base)


def build_on_client(node: Node, image: Image, names: ImageNames, environment: Mapping[str, str] = os.environ) -> str:
    """Builds another image on top of the client's (its Dockerfile's BASE), loads it into ``node``, returns its name.

    Raises:
        LocalControlPlaneError: The build failed.
    """
    name = f"localhost/{image.name}:{fingerprint(image, names.client)}"
    node.load_image(_archive(image, name, names.client, archive_of(names.client, environment), environment))
    return name


def archive_of(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the cache has the image that ``build_images`` calls so."""
    return _archive_file(name.removeprefix("localhost/"), environment)


def _archive_file(name: str, environment: Mapping[str, str]) -> Path:
    stem, _, tag = name.rpartition(":")
    return cache_folder(environment) / "images" / f"{stem.replace('/', '-')}-{tag}.tar"


def _archive(image: Image, name: str, base: str, base_archive: Path, environment: Mapping[str, str]) -> Path:
    folder = cache_folder(environment) / "images"
    stem = image.name.replace("/", "-")
    archive = archive_of(name, environment)
    if archive.exists():
        archive.touch()
        return archive
    with only_one_makes(folder / stem):
        if not archive.exists():  # else another process has built it meanwhile
            _build(image, name, base, base_archive, archive)
    kept = sorted(folder.glob(f"{stem}-*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        old.unlink()
    return archive


def _build(image: Image, name: str, base: str, base_archive: Path, archive: Path) -> None:
    require_root()
    install_missing(FOR_IMAGES)
    log = archive.with_suffix(".log")
    # A storage for this build only: one that is kept grows by an image with every change of the sources.
    storage = Path(tempfile.mkdtemp(prefix=".storage-", dir=archive.parent))
    tool = choose_tool("buildah", storage=storage_configuration(storage, storage / "run"))
    try:
        run_tool(tool, tool.load(base_archive), f"taking the base image {base}", log)
        build_image(tool, image, name, base=base, local_base=True, log=log)
        half_written = archive.with_name(f".{archive.name}")
        half_written.unlink(missing_ok=True)
        run_tool(tool, tool.save(name, half_written), f"writing {archive.name}", log)
        half_written.replace(archive)
    finally:
        if not unmount_below(storage):  # else it would be emptied through a mount
            shutil.rmtree(storage, ignore_errors=True)
