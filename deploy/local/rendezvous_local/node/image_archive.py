"""Writes an image of one layer as an archive that containerd and buildah can load, without any tool for images."""

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
    layer: bytes,
    *,
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Writes the image ``name`` to ``archive``, in the format of ``docker save``.

    Args:
        archive: File to write.
        name: Name with tag.
        layer: An uncompressed tar of its file system.
        entrypoint: Its entry point.
        command: Its default command.
        environment: Its variables.
    """
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
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": EPOCH}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    half_written = archive.with_name(f".{archive.name}")
    with tarfile.open(half_written, "w") as file:
        for member, content in ((config_name, config), ("layer.tar", layer), ("manifest.json", manifest)):
            _add(file, member, content)
    half_written.replace(archive)


def layer_of_one_file(path: str, content: bytes) -> bytes:
    """A layer that holds one executable file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        _add(file, path.lstrip("/"), content, mode=0o755)
    return buffer.getvalue()


def _add(file: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = mode
    file.addfile(member, io.BytesIO(content))
