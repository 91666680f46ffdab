"""The node's own certificate authority and what it signs, by the ``openssl`` command."""

from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.node.layout import CLUSTER_DOMAIN, NODE_NAME, Addresses
from rendezvous_local.node.machine_commands import run

DAYS = "365"
API_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True)
class Certificate:
    """One certificate to make.

    Attributes:
        name: Stem of the files ``.crt`` and ``.key``.
        subject: Who it is for: a Kubernetes user is the common name, its groups are the organisations.
        names: Under which a server is reached, as in ``IP:127.0.0.1`` and ``DNS:localhost``.
    """

    name: str
    subject: str
    names: tuple[str, ...] = ()


def certificates(addresses: Addresses) -> list[Certificate]:
    """All certificates of the node: those of its servers, and one for each client."""
    loopback = "IP:127.0.0.1"
    api_server = [loopback, f"IP:{addresses.gateway}", f"IP:{addresses.kubernetes_service}"]
    api_server += [f"DNS:{name}" for name in (*API_SERVER_NAMES, f"kubernetes.default.svc.{CLUSTER_DOMAIN}")]
    return [
        Certificate("api-server", "/CN=kube-apiserver", tuple(api_server)),
        Certificate("kubelet-server", f"/CN={NODE_NAME}", (f"IP:{addresses.gateway}", loopback, f"DNS:{NODE_NAME}")),
        Certificate("api-server-to-kubelet", "/O=system:masters/CN=api-server-to-kubelet"),
        Certificate("admin", "/O=system:masters/CN=admin"),
        Certificate("kubelet", f"/O=system:nodes/CN=system:node:{NODE_NAME}"),
        Certificate("controller-manager", "/CN=system:kube-controller-manager"),
        Certificate("scheduler", "/CN=system:kube-scheduler"),
        Certificate("proxy", "/CN=system:kube-proxy"),
        Certificate("dns", "/CN=system:cluster-dns"),
    ]


def make_certificates(folder: Path, addresses: Addresses) -> None:
    """Makes the authority, the key that signs service account tokens, and all certificates.

    Raises:
        LocalControlPlaneError: openssl is missing or failed.
    """
    authority, authority_key = _make_authority(folder)
    accounts = folder / "service-accounts.key"
    _make_key(accounts)
    run(["openssl", "pkey", "-in", str(accounts), "-pubout", "-out", str(accounts.with_suffix(".pub"))])
    for certificate in certificates(addresses):
        _sign(folder, certificate, authority, authority_key)


def make_server_certificate(folder: Path, address: str) -> None:
    """Makes an authority of its own, ``authority.crt``, and by it ``tls.crt`` and ``tls.key`` for a server there.

    Raises:
        LocalControlPlaneError: openssl is missing or failed.
    """
    authority, authority_key = _make_authority(folder)
    _sign(folder, Certificate("tls", f"/CN={address}", (f"IP:{address}",)), authority, authority_key)


def _make_authority(folder: Path) -> tuple[Path, Path]:
    # Without a key usage, like those of many clusters: newer Pythons refuse it unless they are told otherwise.
    authority, key = folder / "authority.crt", folder / "authority.key"
    _make_key(key)
    new_authority = ["openssl", "req", "-x509", "-new", "-subj", "/CN=kube-rendezvous-node", "-days", DAYS]
    run([*new_authority, "-key", str(key), "-out", str(authority)])
    return authority, key


def _sign(folder: Path, certificate: Certificate, authority: Path, authority_key: Path) -> None:
    key = folder / f"{certificate.name}.key"
    extensions = folder / f"{certificate.name}.extensions"
    _make_key(key)
    lines = ["extendedKeyUsage=serverAuth,clientAuth"]
    if certificate.names:
        lines.append(f"subjectAltName={','.join(certificate.names)}")
    extensions.write_text("\n".join(lines))
    request = run(["openssl", "req", "-new", "-key", str(key), "-subj", certificate.subject])
    by_authority = ["-CA", str(authority), "-CAkey", str(authority_key), "-CAcreateserial"]
    files = ["-extfile", str(extensions), "-out", str(key.with_suffix(".crt"))]
    run(["openssl", "x509", "-req", *by_authority, "-days", DAYS, *files], text=request)


def _make_key(path: Path) -> None:
    path.touch(mode=0o600)
    run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(path)])
