"""A link to a file of the repository works for who reads the page there, and on the site."""

from pathlib import PurePosixPath as Path

import pytest

from rendezvous_docs.repository_links import missing_targets, with_site_links


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("../../deploy/examples/torchrun-job", "../examples/torchrun-job.html"),
        ("../../deploy/examples/torchrun-job/job.yaml", "../examples/torchrun-job.html#jobyaml"),
        ("../../deploy/examples/train_digits.py", "../examples/index.html#train_digitspy"),
        ("../../CHANGELOG.md#unreleased", "../changelog.html#unreleased"),
        ("../../deploy/helm/kube-rendezvous/values.yaml", "../reference/chart.html"),
        ("../concepts.md#rounds", "../concepts.html#rounds"),
    ],
)
def test_a_file_of_the_repository_is_a_page_of_the_site(link: str, on_the_site: str) -> None:
    said = with_site_links(f"see [it]({link}).", Path("docs/how-to/torchrun.md"), Path("how-to/torchrun.md"))
    assert said == f"see [it]({on_the_site.replace('.html', '.md')})."


def test_a_page_from_outside_docs_links_as_from_its_place_on_the_site() -> None:
    said = with_site_links("[it](docs/versions.md)", Path("SECURITY.md"), Path("security-policy.md"))
    assert said == "[it](versions.md)"


@pytest.mark.parametrize("link", ["https://example.org/a", "#here", "mailto:a@example.org", "../../Makefile"])
def test_what_is_no_page_stays_as_it_is(link: str) -> None:
    text = f"[it]({link})"
    assert with_site_links(text, Path("docs/how-to/run.md"), Path("how-to/run.md")) == text


def test_a_link_to_a_file_that_is_not_there_is_found() -> None:
    there = {Path("docs/concepts.md")}
    text = "[a](concepts.md) [b](gone.md#x) [c](https://example.org/gone.md)"
    assert missing_targets(text, Path("docs/index.md"), there.__contains__) == ["gone.md"]
