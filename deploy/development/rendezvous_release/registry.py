"""Pushes a release to a registry: the images with their signatures, and the chart."""

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rendezvous_local.binaries import find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import CRANE, HELM, Program
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.attached import CYCLONEDX, PROVENANCE, attestations, signature, tag_of
from rendezvous_release.images.layout import Layout
from rendezvous_release.running import run
from rendezvous_release.signing import SigningKey


class Registry:
    """A folder of a registry. One on this machine is spoken to without TLS.

    Args:
        target: such as `oci://registry.example.com/team`; the tools must be logged in.

    Raises:
        ReleaseError: it is no registry.
    """

    def __init__(self, target: str) -> None:
        url = urlsplit(target)
        if url.scheme != "oci" or not url.hostname:
            raise ReleaseError(f"{target!r}: name a registry as oci://REGISTRY/FOLDER")
        self._is_here = url.hostname in ("127.0.0.1", "localhost", "::1")
        self.place = target.removeprefix("oci://").rstrip("/")

    def image(self, name: str) -> str:
        """Where an image lies, without a tag."""
        return f"{self.place}/kube-rendezvous/{name}"

    def push_chart(self, chart: Path) -> None:
        """Push a packaged chart, as an OCI artifact; it lies at `PLACE/charts/kube-rendezvous`.

        Raises:
            ReleaseError: the registry refuses.
        """
        plain = ["--plain-http"] if self._is_here else []
        target = f"oci://{self.place}/charts"
        run([program(HELM), "push", chart, target, *plain], f"pushing the chart to {target}")

    def push_image(self, name: str, layout: Layout, tag: str) -> None:
        """Push an image for all its processors.

        Raises:
            ReleaseError: the registry refuses, or has something else then.
        """
        self._push(layout, f"{self.image(name)}:{tag}")

    def push_attached(self, name: str, digest: str, bill: Any, provenance: Any, key: SigningKey) -> None:
        """Push the signature of an image, and its bill of materials and provenance, signed.

        Args:
            digest: of the image.
            bill: CycloneDX document.
            provenance: SLSA predicate.

        Raises:
            ReleaseError: the registry refuses.
        """
        place = self.image(name)
        attested = attestations(digest, place, {CYCLONEDX: bill, PROVENANCE: provenance}, key)
        self._push(signature(digest, place, key), f"{place}:{tag_of(digest, 'sig')}")
        self._push(attested, f"{place}:{tag_of(digest, 'att')}")

    def _push(self, layout: Layout, reference: str) -> None:
        insecure = ["--insecure"] if self._is_here else []
        with tempfile.TemporaryDirectory(prefix="kube-rendezvous-push-") as folder:
            layout.write_below(Path(folder))
            run([program(CRANE), "push", *insecure, folder, reference], f"pushing {reference}")
        there = run([program(CRANE), "digest", *insecure, reference], f"asking for {reference}").strip()
        if there != layout.digest:
            raise ReleaseError(f"{reference} is {there} in the registry, not {layout.digest} as it was pushed")


def program(wanted: Program) -> Path:
    """Where a program is.

    Raises:
        ReleaseError: it is not there and cannot be built.
    """
    try:
        return find_or_build(wanted)
    except LocalControlPlaneError as error:
        raise ReleaseError(str(error)) from error
