"""A signature is the same each time, is what openssl takes, and a key of another kind is refused."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from rendezvous_release.errors import ReleaseError
from rendezvous_release.signing import PAYLOAD_TYPE, SigningKey


def write_key(file: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: str = "") -> Path:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return file


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.read(write_key(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1())))


def openssl_takes(folder: Path, key: SigningKey, text: bytes, signature: str) -> bool:
    for name, content in (("pub", key.public), ("text", text), ("sig", base64.b64decode(signature))):
        (folder / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "text"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_takes_a_signature_of_this_text_and_of_no_other(key: SigningKey, tmp_path: Path) -> None:
    signature = key.signature(b"sums")
    assert openssl_takes(tmp_path, key, b"sums", signature)
    assert not openssl_takes(tmp_path, key, b"Sums", signature)


def test_the_same_text_has_the_same_signature(key: SigningKey) -> None:
    assert key.signature(b"sums") == key.signature(b"sums")


def test_the_envelope_signs_type_and_statement_as_dsse_says(key: SigningKey, tmp_path: Path) -> None:
    said = json.loads(key.envelope(b"{}"))
    signed = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} 2 {{}}".encode()
    assert base64.b64decode(said["payload"]) == b"{}"
    assert openssl_takes(tmp_path, key, signed, said["signatures"][0]["sig"])


def test_a_key_with_a_password_is_opened_by_it(tmp_path: Path) -> None:
    file = write_key(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1()), "secret")
    assert SigningKey.read(file, "secret").public
    with pytest.raises(ReleaseError, match="RELEASE_KEY_PASSWORD"):
        SigningKey.read(file)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    for other in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(ReleaseError, match="P-256"):
            SigningKey.read(write_key(tmp_path / "key.pem", other))
    with pytest.raises(ReleaseError, match=r"no\.pem"):
        SigningKey.read(tmp_path / "no.pem")
