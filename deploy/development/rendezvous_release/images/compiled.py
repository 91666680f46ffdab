"""Compiles the Python of an image ahead, by the interpreter of the image for this machine's processor.

What it writes is the same for every processor, and the file system of a pod is read-only: it would be compiled anew at
each start.
"""

import platform
from pathlib import Path

from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.platforms import PROCESSORS, PYTHON, Processor
from rendezvous_release.images.python_tree import SITE
from rendezvous_release.images.tree import Node, Tree, read_below, write_below
from rendezvous_release.running import run

LIBRARY = f"usr/lib/python{PYTHON}"
TAG = f"cpython-{PYTHON.replace('.', '')}"


def own_processor() -> Processor:
    """This machine's.

    Raises:
        ReleaseError: it is none of those that images are made for.
    """
    for processor in PROCESSORS:
        if processor.machine == platform.machine():
            return processor
    names = ", ".join(processor.machine for processor in PROCESSORS)
    raise ReleaseError(f"images are made on one of {names}; this machine is {platform.machine()}: --no-images")


class Compiler:
    """The interpreter of an image, outside of it.

    Args:
        system: the lower layer for `own_processor()`.
        folder: an empty one.
    """

    def __init__(self, system: Tree, folder: Path) -> None:
        write_below(system, folder)
        self._folder = folder
        self._known: dict[tuple[str, bytes], dict[str, Node]] = {}  # what came of a module, whatever image it is in
        own = own_processor()
        libraries = f"{folder}/usr/lib/{own.triplet}:{folder}/usr/lib"
        self._python: list[str | Path] = [
            folder / own.loader,
            "--library-path",
            libraries,
            folder / f"usr/bin/python{PYTHON}",
        ]

    def compiled(self, tree: Tree, scratch: Path) -> Tree:
        """The tree, and beside each module what it compiles to.

        Args:
            scratch: an empty folder.

        Raises:
            ReleaseError: a module does not compile.
        """
        modules = {
            path: node
            for path, node in tree.items()
            if path.startswith((f"{LIBRARY}/", f"{SITE}/")) and path.endswith(".py")
        }
        new = {path: node for path, node in modules.items() if (path, node.content) not in self._known}
        if new:
            self._compile(new, scratch)
        made = {path: node for each in modules.items() for path, node in self._known[each[0], each[1].content].items()}
        return {**tree, **made}

    def _compile(self, modules: Tree, scratch: Path) -> None:
        write_below(modules, scratch)
        arguments: list[str | Path] = [
            "-m",
            "compileall",
            "-qq",
            "--invalidation-mode",
            "unchecked-hash",
            "-s",
            scratch,
            "-p",
            "/",
        ]
        run(
            [*self._python, "-S", *arguments, scratch],
            "compiling the Python of an image",
            environment={"PYTHONHOME": str(self._folder / "usr"), "PYTHONHASHSEED": "0", "PYTHONPATH": ""},
        )
        made = {path: node for path, node in read_below(scratch) if path.endswith(".pyc")}
        for path, node in modules.items():
            folder, _, name = path.rpartition("/")
            target = f"{folder}/__pycache__/{name.removesuffix('.py')}.{TAG}.pyc"
            self._known[path, node.content] = {target: made[target]} if target in made else {}
