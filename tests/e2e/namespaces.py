"""Namespaces of the tests: Pod Security `restricted` is enforced in each."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e.example_overlay import TORCH_CLAIM
from e2e.kubectl import Kubectl

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


class Namespaces:
    """Makes namespaces and deletes them at the end.

    Args:
        kubectl: of an administrator.
        torch: folder with torch on the machine of the pods, mounted by examples that need it; None: it is in the image.
    """

    def __init__(self, kubectl: Kubectl, torch: Path | None) -> None:
        self._kubectl = kubectl
        self._torch = torch
        self._made: list[str] = []
        self._volumes: list[str] = []

    def make(self, what: str) -> str:
        """Make one and return its name.

        Args:
            what: start of its name.
        """
        name = f"{what}-{secrets.token_hex(3)}"  # that of an earlier session may still be ending
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        self._made.append(name)
        if self._torch is not None:
            self._offer_torch(name, self._torch)
        return name

    def delete(self, name: str) -> None:
        """Delete one, without waiting for it."""
        # The Jobs first: with `backoffLimitPerIndex` a failed pod is let go only when another can be started in its
        # place, which a namespace that is being deleted forbids; it would never end.
        self._kubectl.try_("-n", name, "delete", "jobs", "--all", "--wait=false")
        self._kubectl.try_("delete", "namespace", name, "--wait=false")

    def delete_all(self) -> None:
        """Delete all that were made."""
        for name in self._made:
            self.delete(name)
        for volume in self._volumes:
            self._kubectl.try_("delete", "persistentvolume", volume, "--wait=false")

    def _offer_torch(self, namespace: str, folder: Path) -> None:
        # `restricted` forbids pods to mount a folder of the node, but not a claim that an administrator bound to one.
        volume = f"torch-{namespace}"
        common = {"storageClassName": "", "accessModes": ["ReadOnlyMany"]}
        reference = {"namespace": namespace, "name": TORCH_CLAIM}
        self._create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": common
                | {"capacity": {"storage": "1Gi"}, "hostPath": {"path": str(folder)}, "claimRef": reference},
            }
        )
        self._volumes.append(volume)
        request = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume}
        self._create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": TORCH_CLAIM, "namespace": namespace},
                "spec": common | request,
            }
        )

    def _create(self, manifest: Mapping[str, Any]) -> None:
        self._kubectl("create", "-f", "-", stdin=json.dumps(manifest))
