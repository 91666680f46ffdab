"""Builds an image of a release for every processor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rendezvous_release.checkout import Source
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.compiled import Compiler, own_processor
from rendezvous_release.images.layout import Layer, Layout, Process, digest_of
from rendezvous_release.images.linkage import faults
from rendezvous_release.images.platforms import Processor
from rendezvous_release.images.python_tree import HOME, distributions, python_tree
from rendezvous_release.images.system_packages import Mirrors, SystemPackage, fetch
from rendezvous_release.images.system_tree import CERTIFICATES, system_tree
from rendezvous_release.images.tree import Tree, layer


@dataclass(frozen=True)
class Recipe:
    """One of the images.

    Attributes:
        name: as in `kube-rendezvous/NAME`.
        extras: of the Python package.
        program: that it starts.
        ports: that it listens on.
        description: for people.
    """

    name: str
    extras: Sequence[str]
    program: str
    ports: Sequence[str]
    description: str


# One environment grows: each has what the one before it has.
RECIPES = (
    Recipe(
        "client",
        (),
        "kube-rendezvous",
        (),
        "Joins a Rendezvous for a pod and tells its trainer the rank: sidecar and command",
    ),
    Recipe(
        "operator",
        ("operator",),
        "kube-rendezvous-operator",
        ("8080/tcp",),
        "Forms the rounds of elastic training: the only writer of a Rendezvous' status",
    ),
)
_ENVIRONMENT = {
    "PATH": f"/{HOME}/bin:/usr/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "SSL_CERT_FILE": f"/{CERTIFICATES}",
}


class System:
    """The lower layer of every image, for each processor.

    Args:
        processors: to build for; this machine's is fetched, too, to compile with.
        where: Debian's packages come from there.
        folder: an empty one.

    Raises:
        ReleaseError: apt refuses.
    """

    def __init__(self, processors: Sequence[Processor], where: Mirrors, folder: Path) -> None:
        self._folder = folder
        own = own_processor()
        self.packages: dict[Processor, Sequence[SystemPackage]] = {}
        trees: dict[Processor, Tree] = {}
        for processor in dict.fromkeys((own, *processors)):
            self.packages[processor] = fetch(processor, where, folder / processor.name)
            trees[processor] = system_tree(self.packages[processor], processor)
        self.compiler = Compiler(trees[own], self.scratch("interpreter"))
        self.trees = {
            one: self.compiler.compiled(trees[one], self.scratch(f"{one.name}-modules")) for one in processors
        }

    @property
    def listed(self) -> Sequence[SystemPackage]:
        """The packages, for every processor that images are built for."""
        return [package for processor in self.trees for package in self.packages[processor]]

    def scratch(self, name: str) -> Path:
        """A new folder."""
        made = self._folder / name
        made.mkdir()
        return made


def build_image(recipe: Recipe, source: Source, wheel: Path, system: System) -> tuple[Layout, Mapping[str, str]]:
    """Build it.

    Returns:
        The image, and the versions of the Python distributions in it, which are the same for every processor.

    Raises:
        ReleaseError: a library is not to be had for a processor, or something in the image would not run there.
    """
    layout, images, carried = Layout(), [], {}
    process = Process([recipe.program], _ENVIRONMENT, recipe.ports, _labels(recipe, source))
    for processor, below in system.trees.items():
        stem = f"{recipe.name}-{processor.name}"
        libraries = python_tree(source, wheel, recipe.extras, processor, system.scratch(f"{stem}-libraries"))
        above = system.compiler.compiled(libraries, system.scratch(f"{stem}-modules"))
        if wrong := list(faults({**below, **above}, processor)):
            raise ReleaseError(f"the {recipe.name} image for {processor.name} would not run: {'; '.join(wrong[:5])}")
        carried[processor] = distributions(above)
        layers = [_layer(tree, source.epoch) for tree in (below, above)]
        images.append(layout.add_image(processor, layers, process, source.epoch))
    versions, *others = carried.values()
    if any(other != versions for other in others):
        raise ReleaseError(f"the {recipe.name} image has other libraries for each processor: pin them, {carried}")
    layout.finish(images, _labels(recipe, source), f"kube-rendezvous/{recipe.name}", source.version)
    return layout, versions


def _layer(tree: Tree, epoch: int) -> Layer:
    raw, packed = layer(tree, epoch)
    return Layer(digest_of(raw), packed)


def _labels(recipe: Recipe, source: Source) -> Mapping[str, str]:
    return {
        "org.opencontainers.image.title": f"kube-rendezvous {recipe.name}",
        "org.opencontainers.image.description": recipe.description,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": source.version,
        "org.opencontainers.image.revision": source.commit,
    }
