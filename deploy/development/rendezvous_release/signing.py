"""Signatures by a key pair that the caller gives: ECDSA on P-256 with SHA-256, as cosign and openssl verify them.

The number in each signature follows from key and text (RFC 6979), so that the same release has the same signatures.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rendezvous_release.errors import ReleaseError

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class SigningKey:
    """The private key of a release."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def read(cls, file: Path, password: str = "") -> "SigningKey":
        """Read it from a PEM file.

        Args:
            file: such as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes.
            password: of an encrypted one.

        Raises:
            ReleaseError: it cannot be read, or is of another kind.
        """
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), password.encode() or None)
        except (OSError, ValueError, TypeError) as error:
            raise ReleaseError(
                f"{file}: {error}; give a private key in PEM, RELEASE_KEY_PASSWORD if it is encrypted"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ReleaseError(
                f"{file}: not a key on curve P-256; openssl genpkey -algorithm EC makes one, see docs/RELEASE.md"
            )
        return cls(key)

    @property
    def public(self) -> bytes:
        """The public key, as a PEM file."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature(self, text: bytes) -> str:
        """Base64 of the signature, as `cosign sign-blob` writes it."""
        raw = self._key.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return base64.b64encode(raw).decode()

    def envelope(self, statement: bytes) -> str:
        """A statement and its signature in one file (DSSE)."""
        kind = PAYLOAD_TYPE.encode()
        signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(statement), statement)
        said = {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(statement).decode(),
            "signatures": [{"keyid": hashlib.sha256(self.public).hexdigest(), "sig": self.signature(signed)}],
        }
        return json.dumps(said) + "\n"
