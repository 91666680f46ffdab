"""The images are made of versions that somebody has tested: every distribution that the operator needs is pinned."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

TOP = Path(__file__).parents[2]


def pins() -> dict[str, str]:
    lines = (TOP / "operator" / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def needed(name: str, extras: tuple[str, ...], found: set[str]) -> set[str]:
    """The names of all distributions that this one needs."""
    for text in importlib.metadata.distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            continue
        key = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if key not in found:
            needed(requirement.name, tuple(requirement.extras), found | {key})
            found.add(key)
            found |= needed(requirement.name, tuple(requirement.extras), found)
    return found


def test_every_distribution_of_the_operators_image_is_pinned() -> None:
    assert needed("kube-rendezvous", ("operator",), set()) <= pins().keys()


def test_the_pins_are_what_the_project_asks_for() -> None:
    for text in importlib.metadata.distribution("kube-rendezvous").requires or ():
        requirement = Requirement(text)
        if requirement.name in pins():
            assert requirement.specifier.contains(Version(pins()[requirement.name])), text


@pytest.mark.parametrize("image", ["operator", "client"])
def test_the_images_are_installed_with_the_pins(image: str) -> None:
    assert "--constraint operator/constraints.txt" in (TOP / "deploy" / "docker" / f"{image}.Dockerfile").read_text()
