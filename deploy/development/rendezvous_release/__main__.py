"""`python -m rendezvous_release --version 0.2.0`: make every artifact of a release."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rendezvous_release.checkout import TOP, stage
from rendezvous_release.checksums import SUMS, different
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.platforms import PROCESSORS
from rendezvous_release.images.system_packages import mirrors
from rendezvous_release.plugin import PLATFORMS, PYTHONS
from rendezvous_release.registry import Registry
from rendezvous_release.released import Release, Wish
from rendezvous_release.signing import SigningKey
from rendezvous_release.stamping import checked


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 2 if the release could not be made."""
    options = _parser().parse_args(arguments)
    try:
        version = checked(options.version)
        key = SigningKey.read(options.key, os.environ.get("RELEASE_KEY_PASSWORD", "")) if options.key else None
        output = (options.output or TOP / "build" / "release" / version).absolute()
        wish = _wish(options)
        if options.same_as and not (options.same_as / SUMS).is_file():
            raise ReleaseError(f"--same-as {options.same_as}: there is no {SUMS}; name the folder of a release")
        if options.push and wish.registry is None:
            raise ReleaseError("--push: name where to, with --registry oci://REGISTRY/FOLDER")
        with tempfile.TemporaryDirectory(prefix="kube-rendezvous-release-") as scratch:
            source = stage(Path(scratch) / "source", version, place=wish.registry.place if wish.registry else "")
            release = Release(source, wish, output, Path(scratch))
            release.make(key)
            if options.same_as:
                _must_be_the_same(output, options.same_as)
            if options.push and wish.registry:
                release.push(wish.registry, key)
    except ReleaseError as error:
        sys.stderr.write(f"rendezvous_release: {error}\n")
        return 2
    sys.stdout.write((output / SUMS).read_text())
    if key is None:
        sys.stderr.write(f"{output}: not signed; name a private key with KEY=…\n")
    return 0


def _must_be_the_same(output: Path, earlier: Path) -> None:
    found = different((output / SUMS).read_text(), (earlier / SUMS).read_text())
    if found:
        raise ReleaseError(
            f"{output} differs from {earlier} in {', '.join(found)}: nothing was pushed. Compare them; if the package"
            " index or Debian's mirror has something newer, make both anew"
        )


def _wish(options: argparse.Namespace) -> Wish:
    names = options.processor or [processor.name for processor in PROCESSORS]
    processors = [one for one in PROCESSORS if one.name in names and not options.no_images]
    return Wish(
        processors=processors,
        mirrors=mirrors(options.debian_mirror) if processors else None,
        platforms=options.platform or list(PLATFORMS),
        pythons=options.python or PYTHONS,
        url=options.url.replace("VERSION", options.version),
        builder=options.builder,
        registry=Registry(options.registry) if options.registry else None,
    )


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
        "--registry",
        default="",
        help="oci://REGISTRY/FOLDER: where images and chart will lie; the chart names it. Default: the reader's own",
    )
    parser.add_argument("--push", action="store_true", help="push them there; the tools must be logged in")
    parser.add_argument(
        "--same-as",
        type=Path,
        help="folder of this release as it was made before: fail, and push nothing, if it differs",
    )
    parser.add_argument("--debian-mirror", default="", help="of the images' packages; default: this machine's")
    parser.add_argument("--no-images", action="store_true", help="leave the images out")
    names = [processor.name for processor in PROCESSORS]
    parser.add_argument("--processor", action="append", choices=names, help="of the images; default: all")
    parser.add_argument("--platform", action="append", choices=list(PLATFORMS), help="of the plug-in; default: all")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="of the plug-in; default: all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
