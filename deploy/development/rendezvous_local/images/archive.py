"""Writes an image of one layer as an archive that every tool can load, without any tool for images."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
EPOCH = "1970-01-01T00:00:00Z"  # the same content gives the same image


def write_image(
    archive: Path,
    name: str,
    layer: Path,
    *,
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Writes the image ``name`` to ``archive``, in the format of ``docker save``.

    Args:
        archive: File to write; it is complete as soon as it is there.
        name: Name with tag.
        layer: An uncompressed tar of its file system.
        entrypoint: Its entry point.
        command: Its default command.
        environment: Its variables.
    """
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    process = {
        "Entrypoint": list(entrypoint) or None,
        "Cmd": list(command) or None,
        "Env": [f"{variable}={value}" for variable, value in (environment or {}).items()],
    }
    config = json.dumps(
        {
            "created": EPOCH,
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": process,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": EPOCH}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    half_written = archive.with_name(f".{archive.name}")
    with tarfile.open(half_written, "w") as tar:
        tar.add(layer, "layer.tar")
        _add(tar, config_name, config)
        _add(tar, "manifest.json", manifest)
    half_written.replace(archive)


def write_layer_of_one_file(layer: Path, path: str, content: bytes) -> None:
    """Writes a layer that holds one executable file."""
    with tarfile.open(layer, "w") as tar:
        _add(tar, path.lstrip("/"), content, mode=0o755)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = mode
    tar.addfile(member, io.BytesIO(content))
