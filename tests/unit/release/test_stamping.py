"""The version stands in every place that names it, and is one that Python, helm and krew take."""

import pytest

from rendezvous_docs.references import TOP
from rendezvous_release.errors import ReleaseError
from rendezvous_release.stamping import EXAMPLES, PLACES, VALUES, checked, placed, stamped


@pytest.mark.parametrize("file", PLACES)
def test_every_place_of_this_repository_takes_the_version(file: str) -> None:
    text = stamped(file, (TOP / file).read_text(), "7.8.9")
    assert "7.8.9" in text
    assert PLACES[file].search(text)


def test_all_places_name_the_same_version_today() -> None:
    found = {match[2] for file, place in PLACES.items() for match in place.finditer((TOP / file).read_text())}
    assert len(found) == 1


def test_a_file_without_the_line_is_an_error() -> None:
    with pytest.raises(ReleaseError, match=r"pyproject\.toml has no line"):
        stamped("pyproject.toml", "[project]\n", "1.0.0")


@pytest.mark.parametrize("version", ["", "1.0", "v1.0.0", "1.0.0-rc.1", "01.0.0", "1.0.0\n", "1.0.0; rm"])
def test_a_version_that_one_of_them_would_read_otherwise_is_refused(version: str) -> None:
    with pytest.raises(ReleaseError, match=r"use MAJOR\.MINOR\.PATCH"):
        checked(version)


def test_the_charts_values_name_the_image_where_it_lies() -> None:
    text = (TOP / VALUES).read_text()
    assert "  repository: registry.example.com/team/kube-rendezvous/operator\n" in placed(
        VALUES, text, "registry.example.com/team", "7.8.9"
    )
    assert placed(VALUES, text, "", "7.8.9") == text


def test_examples_name_the_client_of_this_version() -> None:
    file = "deploy/examples/sidecar/kustomization.yaml"
    text = (TOP / file).read_text()
    assert "  - name: kube-rendezvous/client\n    newTag: 7.8.9\n" in placed(file, text, "", "7.8.9")
    assert "    newName: r.example/kube-rendezvous/client\n    newTag: 7.8.9\n" in placed(
        file, text, "r.example", "7.8.9"
    )


def test_no_example_keeps_a_client_of_another_version() -> None:
    for file in TOP.glob(EXAMPLES):
        text = file.read_text()
        if "kube-rendezvous/client" in text:
            assert "7.8.9" in placed(str(file.relative_to(TOP)), text, "", "7.8.9"), file
