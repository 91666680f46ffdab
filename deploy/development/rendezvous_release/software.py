"""What the images carry beside this project: the list of it (SBOM) and the notices that its licences ask for."""

import hashlib
import json
import shutil
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rendezvous_release.checkout import Source
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.system_packages import SystemPackage
from rendezvous_release.running import run

_LIST = """
import base64, importlib.metadata, json
found = []
for one in importlib.metadata.distributions():
    meta = one.metadata
    files = [f for f in one.files or () if f.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))]
    texts = {str(f): f.locate().read_text(errors="replace") for f in files if f.locate().is_file()}
    classifiers = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    licence = meta.get("License-Expression") or "; ".join(classifiers) or (meta.get("License") or "").split("\\n")[0]
    found.append({"name": meta["Name"], "version": one.version, "licence": licence, "texts": texts})
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Package:
    """An installed distribution.

    Args:
        licence: its name, as the distribution says it.
        texts: of its licence files, by path.
    """

    name: str
    version: str
    licence: str
    texts: Mapping[str, str]


class Installed:
    """The wheel with an extra, in an environment of its own, as an image has it.

    Args:
        wheel: of this project.
        extras: such as `operator`; none: the base install.
        constraints: the versions to install.
        folder: for the environment: a new one, or one to add to.
    """

    def __init__(self, wheel: Path, extras: Sequence[str], constraints: Path, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-compile"]
        run([*pip, "--constraint", constraints, wanted], f"installing {wanted}")

    @property
    def packages(self) -> list[Package]:
        """All distributions, by name."""
        said: list[dict[str, Any]] = json.loads(run([self.python, "-c", _LIST], "listing what is installed"))
        return sorted((Package(**one) for one in said), key=lambda package: package.name.lower())

    def must_be(self, image: str, carried: Mapping[str, str]) -> None:
        """Check that an image carries these distributions, in these versions.

        Raises:
            ReleaseError: it does not.
        """
        here = {package.name: package.version for package in self.packages}
        if different := sorted(here.items() ^ carried.items()):
            raise ReleaseError(f"the {image} image has other libraries than its bill of materials says: {different}")

    def write_sbom(self, source: Source, system: Iterable[SystemPackage], file: Path) -> None:
        """Write a CycloneDX document. Its time is that of the commit.

        Args:
            system: Debian's packages in the image, for every processor.
        """
        program = shutil.which("cyclonedx-py", path=str(Path(sys.executable).parent)) or "cyclonedx-py"
        run(
            [
                *(program, "environment", "--output-reproducible", "--validate", "--of", "JSON", "-o", file),
                *("--pyproject", source.folder / "pyproject.toml", self.python),
            ],
            "writing the SBOM",
            environment={"SOURCE_DATE_EPOCH": str(source.epoch)},
        )
        document = json.loads(file.read_text())
        document["components"] += [_component(package) for package in sorted(set(system), key=lambda one: one.purl)]
        file.write_text(json.dumps(without_places(document), indent=2, sort_keys=True) + "\n")


def _component(package: SystemPackage) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(package.file.read_bytes()).hexdigest()}],
    }


def without_places(document: Any) -> Any:
    """The document without what names a folder of the machine that made it."""
    if isinstance(document, dict):
        return {key: without_places(value) for key, value in document.items() if not _is_place(value)}
    if isinstance(document, list):
        return [without_places(value) for value in document if not _is_place(value)]
    return document


def _is_place(value: Any) -> bool:
    url = value.get("url", "") if isinstance(value, dict) else ""
    return isinstance(url, str) and url.startswith("file:")


def notices(packages: Iterable[Package], own: str) -> str:
    """The notices as one text.

    Args:
        packages: all that are installed.
        own: name of this project's distribution, which is left out.
    """
    others = [package for package in packages if package.name != own]
    head = "".join(f"{package.name} {package.version}: {package.licence or 'see below'}\n" for package in others)
    texts = "".join(
        f"\n{'=' * 80}\n{package.name} {package.version}: {name}\n{'=' * 80}\n{text.strip()}\n"
        for package in others
        for name, text in sorted(package.texts.items())
    )
    return f"What is installed beside {own}, with its licences.\n\n{head}{texts}"
