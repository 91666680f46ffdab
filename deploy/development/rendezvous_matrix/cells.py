"""What `make matrix` runs: one thing at a time differs from the versions that everything is developed with."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rendezvous_local.programs import GO_MODULES, KUBE_APISERVER

TOP = Path(__file__).resolve().parents[3]
KUBERNETES, PYTHON, TORCH, KOPF, CLIENT = "Kubernetes", "Python", "torch", "kopf", "kubernetes client"
GATES = "feature gates"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
NEWEST = "newest"
# Of each library, the distribution; its oldest version is the bound in pyproject.toml.
LIBRARIES = {TORCH: "torch", KOPF: "kopf", CLIENT: "kubernetes"}


@dataclass(frozen=True)
class Cell:
    """One column of one row of the table.

    Attributes:
        axis: What differs: one of the names above.
        value: The version, as in ``1.31`` or ``2.6``; ``newest`` for the newest that the package registry has, or that
            Kubernetes has off.
    """

    axis: str
    value: str

    @property
    def name(self) -> str:
        """As in ``kopf=1.45.2``: how the command line names it."""
        return f"{self.axis.replace(' ', '-').lower()}={self.value}"

    @property
    def requirement(self) -> str:
        """What to install for it beside the rest; empty if nothing."""
        distribution = LIBRARIES.get(self.axis)
        if distribution is None:
            return ""
        return distribution if self.value == NEWEST else f"{distribution}=={self.value}"


def all_cells(top: Path = TOP) -> list[Cell]:
    """Every cell of the table, from what is pinned and from the bounds of pyproject.toml."""
    project = tomllib.loads((top / "pyproject.toml").read_text())["project"]
    cells = [Cell(KUBERNETES, minor) for minor in kubernetes_minors()]
    cells += [Cell(GATES, NEWEST)]
    cells += [Cell(PYTHON, python) for python in PYTHONS]
    for axis, distribution in LIBRARIES.items():
        cells += [Cell(axis, oldest_allowed(project, distribution)), Cell(axis, NEWEST)]
    return cells


def kubernetes_minors(modules: Path = GO_MODULES) -> list[str]:
    """The minor versions of Kubernetes that are pinned, oldest first."""
    older = [folder.name.removeprefix("kubernetes-") for folder in modules.glob("kubernetes-*")]
    newest = ".".join(KUBE_APISERVER.version.removeprefix("v").split(".")[:2])
    return sorted([*older, newest], key=numbers)


def oldest_allowed(project: dict[str, Any], distribution: str) -> str:
    """The lower bound of ``distribution`` in the table ``project`` of pyproject.toml.

    Raises:
        ValueError: It has none.
    """
    listed: Sequence[str] = [
        *project["dependencies"],
        *(requirement for extra in project["optional-dependencies"].values() for requirement in extra),
    ]
    for requirement in listed:
        if bound := re.fullmatch(rf"{distribution}>=([\d.]+)", requirement):
            return bound[1]
    raise ValueError(f"pyproject.toml gives no lower bound of {distribution}")


def numbers(version: str) -> tuple[int, ...]:
    """For sorting: 1.9 comes before 1.10."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
