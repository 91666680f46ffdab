"""`SHA256SUMS`, as sha256sum reads it, and the provenance: what was made, from which commit."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rendezvous_release.checkout import Source

SUMS = "SHA256SUMS"
PROVENANCE = "provenance.intoto.json"
BUILD_TYPE = "urn:kube-rendezvous:make-release:v1"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every artifact by name, but not of what tells about them."""
    files = sorted(
        file for file in folder.iterdir() if file.is_file() and not file.name.startswith((SUMS, "provenance."))
    )
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def sums(found: Mapping[str, str]) -> str:
    """The text of `SHA256SUMS`."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items()))


def different(one: str, other: str) -> list[str]:
    """The artifacts that are not the same by two texts of `SHA256SUMS`, or are in one of them only."""
    lines = set(one.splitlines()) ^ set(other.splitlines())
    return sorted({line.partition("  ")[2] for line in lines})


def statement(found: Mapping[str, str], source: Source, builder: str) -> bytes:
    """An in-toto statement with SLSA provenance, version 1, that names every artifact.

    Args:
        found: as `digests` gives.
        source: from which all was made.
        builder: URI of who made it.
    """
    said = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(found.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate(source, builder),
    }
    return json.dumps(said, sort_keys=True, indent=2).encode() + b"\n"


def predicate(source: Source, builder: str) -> dict[str, Any]:
    """What SLSA provenance, version 1, says of an artifact.

    Args:
        source: from which it was made.
        builder: URI of who made it.
    """
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"version": source.version},
            "resolvedDependencies": [{"uri": "git+kube-rendezvous", "digest": {"gitCommit": source.commit}}],
        },
        "runDetails": {"builder": {"id": builder}},
    }
