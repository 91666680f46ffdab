"""The Python environment of a cell: a layer upon ours, or a whole one where the interpreter is another.

They lie in the cache, outside the repository, and are used again.
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path

from rendezvous_local.binaries import cache_folder, only_one_makes
from rendezvous_matrix.cells import NEWEST, PYTHON, TOP, Cell
from rendezvous_matrix.errors import MatrixError

# What the core's tests need beside the extras; the rest of the group `dev` is for checks and for other tests.
TESTING = (
    *("axe-core-python", "cryptography", "dnspython", "hypothesis", "pyelftools", "selenium"),
    *("pytest", "pytest-mock", "pytest-timeout", "pytest-xdist"),
)
EXTRAS = ("operator", "torch", "cli", "plot")
OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
INSTALL_SECONDS = 1800


def interpreter_of(cell: Cell) -> Path:
    """The interpreter to run a cell's tests with, its environment made first if need be.

    Raises:
        MatrixError: There is no such Python here, or a package registry gave no such version.
    """
    if cell.axis == PYTHON and cell.value != OWN_PYTHON:
        return _environment(find_python(cell.value), _whole(), f"python-{cell.value}", layered=False)
    if cell.requirement:
        requirement = _newest(cell.requirement) if cell.value == NEWEST else cell.requirement
        if not _is_installed(requirement):
            return _environment(Path(sys.executable), [requirement], requirement, layered=True)
    return Path(sys.executable)


def _newest(distribution: str) -> str:
    """Its newest version that the package registry has for this interpreter, as in ``kopf==1.45.2``."""
    said = _uv("pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate", "-", given=distribution)
    return said.strip()


def _is_installed(requirement: str) -> bool:
    distribution, _, wanted = requirement.partition("==")
    have = importlib.metadata.version(distribution).partition("+")[0]  # as in 2.15.0+cu132
    return have == wanted


def find_python(minor: str) -> Path:
    """An interpreter of that minor version: on the PATH, or of pyenv.

    Raises:
        MatrixError: There is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    places = [shutil.which(f"python{minor}"), *sorted(map(str, pyenv.glob(f"{minor}.*/bin/python{minor}")))]
    for place in places:
        if place and _answers(place, minor):
            return Path(place)
    raise MatrixError(f"no python{minor} on the PATH: install one, or let `uv python install {minor}` do it")


def _answers(place: str, minor: str) -> bool:
    # Commands of version switchers are there for versions that are not chosen, too.
    question = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(question, capture_output=True, text=True, check=False).stdout.strip() == minor


def _whole() -> list[str]:
    dev = tomllib.loads((TOP / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    chosen = [requirement for requirement in dev if _distribution(requirement) in TESTING]
    return [f"{TOP}[{','.join(EXTRAS)}]", *chosen]


def _environment(python: Path, requirements: Sequence[str], name: str, *, layered: bool) -> Path:
    fingerprint = hashlib.sha256("\n".join([str(python), str(TOP), *requirements]).encode()).hexdigest()[:8]
    folder = cache_folder() / "matrix" / f"{re.sub(r'[^a-z0-9.]+', '-', name)}-{fingerprint}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder / "bin" / "python"
    with only_one_makes(folder):
        complete = folder / "complete"
        if complete.exists():
            return made
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", f"--python={python}", str(folder))
        install = ["pip", "install", "--quiet", f"--python={made}"]
        if layered:
            # Ours comes after what is installed here: whatever the cell does not name is as we have it.
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "ours.pth").write_text(
                f"{sysconfig.get_paths()['purelib']}\n{TOP / 'client'}\n{TOP / 'operator'}\n"
            )
            _uv(*install, *requirements)
            _lend_programs(folder / "bin")
        else:
            own, *others = requirements
            _uv(*install, *others, "--editable", own)
        complete.touch()
    return made


def _lend_programs(folder: Path) -> None:
    """Give a layer our environment's programs, such as torchrun, to run with its own interpreter."""
    ours = Path(sys.executable).parent
    own_line = f"#!{folder / 'python'}\n".encode()
    for program in ours.iterdir():
        target = folder / program.name
        if target.exists() or not program.is_file() or program.is_symlink():
            continue
        first, _, rest = program.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and str(ours).encode() in first:
            target.write_bytes(own_line + rest)
            target.chmod(0o755)


def _uv(*arguments: str, given: str = "") -> str:
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise MatrixError(f"`uv {' '.join(arguments)}` failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


def _distribution(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0]
