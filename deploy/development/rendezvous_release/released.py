"""Makes the artifacts of a release, one after the other, into a folder."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rendezvous_release.checkout import Source
from rendezvous_release.checksums import PROVENANCE, SUMS, digests, predicate, statement, sums
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.building import RECIPES, System, build_image
from rendezvous_release.images.layout import Layout
from rendezvous_release.images.platforms import Processor
from rendezvous_release.images.system_packages import Mirrors
from rendezvous_release.packages import build_chart, build_examples, build_python, write_manifests
from rendezvous_release.plugin import build_archive, krew_manifest
from rendezvous_release.registry import Registry
from rendezvous_release.signing import SigningKey
from rendezvous_release.software import Installed, notices


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        processors: of the images; none: no images.
        mirrors: Debian's packages come from there.
        platforms, pythons: of the plug-in.
        url: folder from which people download.
        builder: URI of who builds.
        registry: where the images will lie, and the chart; None: the reader names a place of their own.
    """

    processors: Sequence[Processor]
    mirrors: Mirrors | None
    platforms: Sequence[str]
    pythons: Sequence[str]
    url: str
    builder: str
    registry: Registry | None


class Release:
    """A release that is being made.

    Args:
        source: from which.
        output: a folder; it is emptied if it holds a release.
        scratch: an empty folder.

    Raises:
        ReleaseError: the folder holds something else.
    """

    def __init__(self, source: Source, wish: Wish, output: Path, scratch: Path) -> None:
        _empty(output)
        self._source, self._wish, self._output, self._scratch = source, wish, output, scratch
        self._images: dict[str, Layout] = {}
        self._chart = output

    def make(self, key: SigningKey | None) -> None:
        """Make everything.

        Args:
            key: None: it is not signed.

        Raises:
            ReleaseError: something cannot be made.
        """
        say("wheel, sdist, chart, manifests, examples")
        wheel = build_python(self._source, self._output)
        self._chart = build_chart(self._source, self._output)
        write_manifests(self._source, self._output)
        build_examples(self._source, self._output)
        self._make_images(wheel)
        self._make_plugin(wheel)
        found = digests(self._output)
        listed = sums(found).encode()
        (self._output / SUMS).write_bytes(listed)
        said = statement(found, self._source, self._wish.builder)
        (self._output / PROVENANCE).write_bytes(said)
        if key is not None:
            (self._output / f"{SUMS}.sig").write_text(key.signature(listed))
            (self._output / f"{SUMS}.pub").write_bytes(key.public)
            (self._output / "provenance.dsse.json").write_text(key.envelope(said))

    def push(self, registry: Registry, key: SigningKey | None) -> None:
        """Push images and chart; signatures, bills of materials and provenance beside the images if there is a key.

        Raises:
            ReleaseError: the registry refuses.
        """
        for name, layout in self._images.items():
            say(f"pushing {registry.image(name)}:{self._source.version}")
            registry.push_image(name, layout, self._source.version)
            if key is not None:
                bill = json.loads(self._bill(name).read_text())
                provenance = predicate(self._source, self._wish.builder)
                registry.push_attached(name, layout.digest, bill, provenance, key)
        say(f"pushing the chart to {registry.place}/charts")
        registry.push_chart(self._chart)

    def _make_images(self, wheel: Path) -> None:
        system = None
        if self._wish.processors and self._wish.mirrors:
            say(f"the images' Debian packages, for {', '.join(one.name for one in self._wish.processors)}")
            (self._scratch / "images").mkdir()
            system = System(self._wish.processors, self._wish.mirrors, self._scratch / "images")
        constraints = self._source.folder / "operator" / "constraints.txt"
        for recipe in RECIPES:
            say(f"what the {recipe.name} image carries")
            installed = Installed(wheel, recipe.extras, constraints, self._scratch / "software")
            packages = system.listed if system else []
            installed.write_sbom(self._source, packages, self._bill(recipe.name))
            text = notices(installed.packages, "kube-rendezvous")
            (self._output / f"kube-rendezvous-{recipe.name}-{self._source.version}.notices.txt").write_text(text)
            if system:
                say(f"the {recipe.name} image")
                layout, carried = build_image(recipe, self._source, wheel, system)
                installed.must_be(recipe.name, carried)
                layout.write_archive(self._output / f"kube-rendezvous-{recipe.name}-{self._source.version}.oci.tar")
                self._images[recipe.name] = layout

    def _make_plugin(self, wheel: Path) -> None:
        archives = []
        for platform in self._wish.platforms:
            say(f"kubectl plug-in for {platform}")
            folder = self._scratch / "plugin" / platform.replace("/", "-")
            archives.append(build_archive(self._source, wheel, platform, self._output, folder, self._wish.pythons))
        manifest = krew_manifest(self._source.version, archives, self._wish.url, self._wish.pythons)
        (self._output / f"rendezvous-{self._source.version}.krew.yaml").write_text(manifest)

    def _bill(self, image: str) -> Path:
        return self._output / f"kube-rendezvous-{image}-{self._source.version}.cdx.json"


def say(what: str) -> None:
    """Tell what is being done."""
    sys.stderr.write(f"release: {what}\n")


def _empty(output: Path) -> None:
    if output.exists():
        if any(output.iterdir()) and not (output / SUMS).is_file():
            raise ReleaseError(f"{output} holds something that is no release: empty it, or name another --output")
        shutil.rmtree(output)
    output.mkdir(parents=True)
