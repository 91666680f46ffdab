"""Wheel and sdist, chart, and the plain manifests."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from rendezvous_chart.plain_manifests import without_helm
from rendezvous_local.binaries import find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import HELM
from rendezvous_release.archives import entries_of, tar_gz
from rendezvous_release.checkout import Source
from rendezvous_release.errors import ReleaseError
from rendezvous_release.running import run

CHART = Path("deploy/helm/kube-rendezvous")
NAMESPACE = "kube-rendezvous-system"


def build_python(source: Source, output: Path) -> Path:
    """Build wheel and sdist; return the wheel.

    Raises:
        ReleaseError: hatchling refuses.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(output)]
    run(command, "building wheel and sdist", folder=source.folder, environment={"SOURCE_DATE_EPOCH": str(source.epoch)})
    return output / f"kube_rendezvous-{source.version}-py3-none-any.whl"


def build_chart(source: Source, output: Path) -> Path:
    """Package the chart; return its archive. helm takes the files' own times, so that it is written anew.

    Raises:
        ReleaseError: helm refuses, or is not there and cannot be built.
    """
    helm = _helm()
    made = source.folder / ".packaged"
    run([helm, "package", source.folder / CHART, "--destination", made], "packaging the chart")
    name = f"kube-rendezvous-{source.version}.tgz"
    target = output / name
    target.write_bytes(tar_gz(entries_of((made / name).read_bytes()), source.epoch))
    return target


def push_chart(chart: Path, target: str) -> None:
    """Push a packaged chart to a registry, as an OCI artifact.

    Args:
        chart: its archive.
        target: such as `oci://registry.example.com/charts`. One on this machine is spoken to without TLS.

    Raises:
        ReleaseError: the registry refuses, or is no registry.
    """
    url = urlsplit(target)
    if url.scheme != "oci" or not url.hostname:
        raise ReleaseError(f"--push {target!r}: name a registry as oci://REGISTRY/FOLDER")
    plain = ["--plain-http"] if url.hostname in ("127.0.0.1", "localhost", "::1") else []
    run([_helm(), "push", chart, target, *plain], f"pushing the chart to {target}")


def write_manifests(source: Source, output: Path) -> None:
    """Write the resource definitions as one file, and all that the chart installs as another.

    Raises:
        ReleaseError: helm refuses.
    """
    crds = [file.read_text().strip() for file in sorted((source.folder / "crds").glob("*.yaml"))]
    _write(output / f"kube-rendezvous-crds-{source.version}.yaml", "\n---\n".join(crds) + "\n")
    chart = source.folder / CHART
    rendered = run(
        [_helm(), "template", "kube-rendezvous", chart, "--namespace", NAMESPACE, "--skip-tests"], "rendering the chart"
    )
    rendered = without_helm(rendered)
    namespace = (source.folder / "deploy/kustomize/namespace.yaml").read_text().strip()
    _write(output / f"kube-rendezvous-install-{source.version}.yaml", f"{namespace}\n{rendered}")


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _helm() -> Path:
    try:
        return find_or_build(HELM)
    except LocalControlPlaneError as error:
        raise ReleaseError(str(error)) from error
