"""`python -m rendezvous_release --version 0.2.0`: make every artifact of a release."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rendezvous_release.checkout import TOP, Source, stage
from rendezvous_release.checksums import PROVENANCE, SUMS, digests, statement, sums
from rendezvous_release.errors import ReleaseError
from rendezvous_release.packages import build_chart, build_python, push_chart, write_manifests
from rendezvous_release.plugin import PLATFORMS, PYTHONS, build_archive, krew_manifest
from rendezvous_release.signing import SigningKey
from rendezvous_release.software import Installed, notices
from rendezvous_release.stamping import checked

# What is installed in the images, by their names. One environment grows: each has what the one before it has.
SOFTWARE = {"client": (), "operator": ("operator",)}


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 2 if the release could not be made."""
    options = _parser().parse_args(arguments)
    try:
        version = checked(options.version)
        key = SigningKey.read(options.key, os.environ.get("RELEASE_KEY_PASSWORD", "")) if options.key else None
        output = (options.output or TOP / "build" / "release" / version).absolute()
        with tempfile.TemporaryDirectory(prefix="kube-rendezvous-release-") as scratch:
            _make(version, key, output, options, Path(scratch))
    except ReleaseError as error:
        sys.stderr.write(f"rendezvous_release: {error}\n")
        return 2
    sys.stdout.write((output / SUMS).read_text())
    if key is None:
        sys.stderr.write(f"{output}: not signed; name a private key with KEY=…\n")
    return 0


def _make(version: str, key: SigningKey | None, output: Path, options: argparse.Namespace, scratch: Path) -> None:
    source = stage(scratch / "source", version)
    _empty(output)
    _say("wheel, sdist, chart, manifests")
    wheel = build_python(source, output)
    chart = build_chart(source, output)
    write_manifests(source, output)
    for image, extras in SOFTWARE.items():
        _say(f"what the {image} image carries")
        installed = Installed(wheel, extras, scratch / "software")
        installed.write_sbom(source, output / f"kube-rendezvous-{image}-{version}.cdx.json")
        text = notices(installed.packages, "kube-rendezvous")
        (output / f"kube-rendezvous-{image}-{version}.notices.txt").write_text(text)
    pythons = options.python or PYTHONS
    archives = []
    for platform in options.platform or PLATFORMS:
        _say(f"kubectl plug-in for {platform}")
        folder = scratch / "plugin" / platform.replace("/", "-")
        archives.append(build_archive(source, wheel, platform, output, folder, pythons))
    url = options.url.replace("VERSION", version)
    (output / f"rendezvous-{version}.krew.yaml").write_text(krew_manifest(version, archives, url, pythons))
    _tell_about(source, key, output, options.builder)
    if options.push:
        _say(f"pushing the chart to {options.push}")
        push_chart(chart, options.push)


def _empty(output: Path) -> None:
    if output.exists():
        if any(output.iterdir()) and not (output / SUMS).is_file():
            raise ReleaseError(f"{output} holds something that is no release: empty it, or name another --output")
        shutil.rmtree(output)
    output.mkdir(parents=True)


def _tell_about(source: Source, key: SigningKey | None, output: Path, builder: str) -> None:
    found = digests(output)
    listed = sums(found).encode()
    (output / SUMS).write_bytes(listed)
    said = statement(found, source, builder)
    (output / PROVENANCE).write_bytes(said)
    if key is not None:
        (output / f"{SUMS}.sig").write_text(key.signature(listed))
        (output / f"{SUMS}.pub").write_bytes(key.public)
        (output / "provenance.dsse.json").write_text(key.envelope(said))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rendezvous_release",
        description="Makes every artifact of a release from the newest commit. The same commit gives the same bytes, "
        "as long as the libraries that are collected from the package index are the same.",
        epilog="What is not committed is left out. RELEASE_KEY_PASSWORD opens an encrypted key.",
    )
    parser.add_argument("--version", required=True, help="MAJOR.MINOR.PATCH")
    parser.add_argument("--output", type=Path, help="folder, made anew; default: build/release/VERSION")
    parser.add_argument("--key", type=Path, help="private key (PEM, P-256) to sign with; default: not signed")
    parser.add_argument(
        "--url",
        default="https://example.invalid/kube-rendezvous/VERSION",
        help="folder from which people download, for krew's manifest; VERSION is put in",
    )
    parser.add_argument(
        "--builder", default="urn:kube-rendezvous:make-release", help="URI of who builds, for the provenance"
    )
    parser.add_argument(
        "--push", default="", help="push the chart there: oci://REGISTRY/FOLDER; helm must be logged in"
    )
    parser.add_argument("--platform", action="append", choices=list(PLATFORMS), help="of the plug-in; default: all")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="of the plug-in; default: all")
    return parser


def _say(what: str) -> None:
    sys.stderr.write(f"release: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
