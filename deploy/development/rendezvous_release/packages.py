"""Wheel and sdist, chart, and the plain manifests."""

import sys
from pathlib import Path

from rendezvous_chart.plain_manifests import without_helm
from rendezvous_local.programs import HELM
from rendezvous_release.archives import entries_below, entries_of, tar_gz
from rendezvous_release.checkout import Source
from rendezvous_release.registry import program
from rendezvous_release.running import run

EXAMPLES = Path("deploy/examples")
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
    made = source.folder / ".packaged"
    run([program(HELM), "package", source.folder / CHART, "--destination", made], "packaging the chart")
    name = f"kube-rendezvous-{source.version}.tgz"
    target = output / name
    target.write_bytes(tar_gz(entries_of((made / name).read_bytes()), source.epoch))
    return target


def write_manifests(source: Source, output: Path) -> None:
    """Write the resource definitions as one file, and all that the chart installs as another.

    Raises:
        ReleaseError: helm refuses.
    """
    crds = [file.read_text().strip() for file in sorted((source.folder / "crds").glob("*.yaml"))]
    _write(output / f"kube-rendezvous-crds-{source.version}.yaml", "\n---\n".join(crds) + "\n")
    chart = source.folder / CHART
    rendered = run(
        [program(HELM), "template", "kube-rendezvous", chart, "--namespace", NAMESPACE, "--skip-tests"],
        "rendering the chart",
    )
    rendered = without_helm(rendered)
    namespace = (source.folder / "deploy/kustomize/namespace.yaml").read_text().strip()
    _write(output / f"kube-rendezvous-install-{source.version}.yaml", f"{namespace}\n{rendered}")


def build_examples(source: Source, output: Path) -> None:
    """Pack the examples for who has no checkout."""
    entries = entries_below(source.folder / EXAMPLES, "examples/")
    packed = tar_gz(entries, source.epoch)
    (output / f"kube-rendezvous-examples-{source.version}.tar.gz").write_bytes(packed)


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")
