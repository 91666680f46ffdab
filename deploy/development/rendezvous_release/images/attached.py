"""What lies beside an image in a registry: its signature and what is attested of it, as cosign finds them."""

import json
from typing import Any

from rendezvous_release.images.layout import CONFIG, MANIFEST, Layout, as_json, digest_of
from rendezvous_release.signing import SigningKey

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
CYCLONEDX = "https://cyclonedx.org/bom"
PROVENANCE = "https://slsa.dev/provenance/v1"
_SIGNATURE = "dev.cosignproject.cosign/signature"


def tag_of(digest: str, kind: str) -> str:
    """The tag beside an image: `sha256-….sig` or `.att`."""
    return f"{digest.replace(':', '-')}.{kind}"


def signature(digest: str, repository: str, key: SigningKey) -> Layout:
    """The signature of an image.

    Args:
        digest: of its index.
        repository: where it lies, without a tag.
    """
    said = {
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    payload = as_json(said)
    return _attached([(payload, SIMPLE_SIGNING, {_SIGNATURE: key.signature(payload)})])


def attestations(digest: str, repository: str, predicates: dict[str, Any], key: SigningKey) -> Layout:
    """What is attested of an image.

    Args:
        predicates: by their types: a bill of materials, a provenance.
    """
    layers = []
    for kind, predicate in sorted(predicates.items()):
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": repository, "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": kind,
            "predicate": predicate,
        }
        envelope = key.envelope(json.dumps(statement, sort_keys=True).encode()).encode()
        layers.append((envelope, ENVELOPE, {_SIGNATURE: "", "predicateType": kind}))
    return _attached(layers)


def _attached(layers: list[tuple[bytes, str, dict[str, str]]]) -> Layout:
    layout = Layout()
    config = {
        "architecture": "",
        "os": "",
        "created": "0001-01-01T00:00:00Z",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(content) for content, _, _ in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add(as_json(config), CONFIG),
        "layers": [layout.add(content, kind, annotations=more) for content, kind, more in layers],
    }
    layout.top = layout.add(as_json(manifest), MANIFEST)
    return layout
