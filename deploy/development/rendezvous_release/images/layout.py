"""Images as the OCI writes them down: blobs by digest, a manifest a processor, an index of these, in one archive."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rendezvous_release.images.platforms import Processor

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Layer:
    """A layer.

    Attributes:
        diff_id: digest of it as it is.
        packed: compressed.
    """

    diff_id: str
    packed: bytes


@dataclass(frozen=True)
class Process:
    """What an image starts, and what is said of it.

    Attributes:
        entrypoint: program and arguments.
        environment: variables.
        ports: that it listens on, as `8080/tcp`.
        labels: of the image.
    """

    entrypoint: Sequence[str]
    environment: Mapping[str, str]
    ports: Sequence[str]
    labels: Mapping[str, str]


@dataclass
class Layout:
    """Blobs, and what the layout as a whole consists of."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)

    def add(self, content: bytes, kind: str, **more: Any) -> dict[str, Any]:
        """Add a blob; return its descriptor."""
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content), **more}

    def add_image(self, processor: Processor, layers: Sequence[Layer], process: Process, epoch: int) -> dict[str, Any]:
        """Add the image for one processor; return its descriptor.

        Args:
            epoch: when it was made, in seconds since 1970.
        """
        where = {"architecture": processor.name, "os": "linux", **_variant(processor)}
        config = {
            **where,
            "created": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "config": {
                "Entrypoint": list(process.entrypoint),
                "Env": [f"{name}={value}" for name, value in process.environment.items()],
                "ExposedPorts": {port: {} for port in process.ports},
                "Labels": dict(process.labels),
                "User": "65532:65532",
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(as_json(config), CONFIG),
            "layers": [self.add(one.packed, LAYER) for one in layers],
        }
        return self.add(as_json(manifest), MANIFEST, platform=where)

    def finish(self, images: Sequence[Mapping[str, Any]], annotations: Mapping[str, str], name: str, tag: str) -> None:
        """Make the index of the images the top of the layout.

        Args:
            name, tag: under which tools that load the archive keep it.
        """
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images), "annotations": dict(annotations)}
        names = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"{name}:{tag}"}
        self.top = self.add(as_json(index), INDEX, annotations=names)

    @property
    def digest(self) -> str:
        """Of what is at the top: `sha256:…`."""
        return str(self.top["digest"])

    def files(self) -> dict[str, bytes]:
        """The layout's files by path."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [self.top]}
        blobs = {f"blobs/{digest.replace(':', '/')}": content for digest, content in self.blobs.items()}
        return {**blobs, "index.json": as_json(index), "oci-layout": as_json({"imageLayoutVersion": "1.0.0"})}

    def write_archive(self, file: Path) -> None:
        """Write it as one uncompressed archive, in a fixed order."""
        with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
            for path, content in sorted(self.files().items()):
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    def write_below(self, folder: Path) -> None:
        """Write it as files."""
        for path, content in self.files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def digest_of(content: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def as_json(value: object) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _variant(processor: Processor) -> dict[str, str]:
    return {"variant": processor.variant} if processor.variant else {}
