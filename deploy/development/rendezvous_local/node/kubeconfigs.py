"""Kubeconfig files: one for each program that talks to the API server, and the administrator's."""

import json
import os
from pathlib import Path

from rendezvous_local.node.layout import Folders

CONTEXT = "kube-rendezvous-node"
USERS = ("admin", "kubelet", "controller-manager", "scheduler", "proxy", "dns")


def kubeconfig(user: str, server: str, certificates: Path) -> dict[str, object]:
    """A kubeconfig whose user shows the certificate ``<user>.crt``.

    Args:
        user: Stem of the certificate's file.
        server: URL of the API server.
        certificates: Folder with the certificates.
    """
    cluster = {"server": server, "certificate-authority": str(certificates / "authority.crt")}
    proof = {"client-certificate": str(certificates / f"{user}.crt"), "client-key": str(certificates / f"{user}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": proof}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}],
    }


def write_kubeconfigs(folders: Folders, server: str) -> None:
    """Writes all kubeconfig files, readable only by their owner."""
    for user in USERS:
        text = json.dumps(kubeconfig(user, server, folders.certificates), indent=2)  # JSON is YAML
        descriptor = os.open(folders.kubeconfigs / user, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
