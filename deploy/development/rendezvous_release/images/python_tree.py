"""The upper layer of an image: this package and its libraries, as a virtual environment at `/opt/kube-rendezvous`."""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rendezvous_release.checkout import Source
from rendezvous_release.images.platforms import PYTHON, Processor
from rendezvous_release.images.tree import Node, Tree, read_below
from rendezvous_release.running import run

HOME = "opt/kube-rendezvous"
SITE = f"{HOME}/lib/python{PYTHON}/site-packages"
CONSTRAINTS = Path("operator/constraints.txt")
_LEFT_OUT = ("kubernetes/aio/", "bin/")  # the asyncio twin of the client, and programs of others
_MACHINES_OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_PROGRAM = "#!/{home}/bin/python\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"


def python_tree(source: Source, wheel: Path, extras: Sequence[str], processor: Processor, folder: Path) -> Tree:
    """The environment.

    Args:
        wheel: of this project.
        extras: such as `operator`; none: the base install.
        folder: an empty one.

    Raises:
        ReleaseError: a library is not to be had for that processor.
    """
    wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
    tags = [f"manylinux_2_{glibc}_{processor.machine}" for glibc in (28, 17)] + [f"manylinux2014_{processor.machine}"]
    pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    where: list[str | Path] = ["--target", folder, "--implementation=cp", f"--python-version={PYTHON}"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    constraints: list[str | Path] = ["--constraint", source.folder / CONSTRAINTS]
    run([*pip, *where, *platforms, *constraints, wanted], f"collecting the libraries of an image for {processor.name}")
    tree = {f"{SITE}/{path}": node for path, node in read_below(folder) if _is_wanted(path)}
    tree[f"{HOME}/pyvenv.cfg"] = Node(f"home = /usr/bin\nversion = {PYTHON}\n".encode())
    for name in ("python", "python3", f"python{PYTHON}"):
        tree[f"{HOME}/bin/{name}"] = Node(link=f"/usr/bin/python{PYTHON}")
    return {**tree, **_programs(source)}


def distributions(tree: Tree) -> Mapping[str, str]:
    """Versions of the distributions in a tree, by their names."""
    found = {}
    for path, node in tree.items():
        if path.startswith(SITE) and path.endswith(".dist-info/METADATA"):
            lines = node.content.decode().split("\n\n")[0].splitlines()
            fields = dict(line.split(": ", 1) for line in lines if line.startswith(("Name: ", "Version: ")))
            found[fields["Name"]] = fields["Version"]
    return found


def _programs(source: Source) -> Tree:
    project = tomllib.loads((source.folder / "pyproject.toml").read_text())["project"]
    programs = {}
    for name, entry in project["scripts"].items():
        module, _, function = entry.partition(":")
        text = _PROGRAM.format(home=HOME, module=module, function=function)
        programs[f"{HOME}/bin/{name}"] = Node(text.encode(), mode=0o755)
    return programs


def _is_wanted(path: str) -> bool:
    return (
        not path.startswith(_LEFT_OUT)
        and "__pycache__/" not in path
        and not (".dist-info/" in path and path.rpartition("/")[2] in _MACHINES_OWN)
    )
