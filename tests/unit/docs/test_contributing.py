"""Where a change goes is told by places that exist."""

import re

from rendezvous_docs.references import TOP

PLACE = re.compile(r"`((?:client|operator|deploy|crds|tests|docs|findings)/[^`]*|[\w.]+\.(?:yml|toml|md))`")


def test_every_place_that_contributing_names_is_there() -> None:
    places = PLACE.findall((TOP / "CONTRIBUTING.md").read_text())
    assert len(places) > 40
    missing = [place for place in places if not (any(TOP.glob(place.replace("NAME", "*"))) or (TOP / place).exists())]
    assert missing == []


def test_every_package_of_the_code_has_a_row() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text()
    packages = ("operator/kube_rendezvous_core", "operator/kube_rendezvous_operator")
    for folder in (*packages, "client/kube_rendezvous", "client/kubectl_rendezvous"):
        assert f"`{folder}/" in text
    for package in sorted((TOP / "deploy" / "development").glob("rendezvous_*")):
        assert package.name in text, f"{package.name}: say in CONTRIBUTING.md what belongs there"
