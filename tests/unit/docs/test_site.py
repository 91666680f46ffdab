"""The site builds strictly, and asks nobody on the network for anything."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rendezvous_docs.references import TOP

BUILD_SECONDS = 240.0


def build(site: Path, config: Path = TOP / "mkdocs.yml") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(TOP / "deploy" / "development"), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|img|iframe)[^>]+src=\"(https?:)?//[^\"]+|<link[^>]+(?:stylesheet|preconnect)[^>]+//[^>]+"
    )
    found = {
        page.name: loads.findall(page.read_text()) for page in site.rglob("*.html") if loads.search(page.read_text())
    }
    assert found == {}


def test_the_docstrings_are_on_the_site(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text()
    assert "Take part in a rendezvous" in page
    assert "RendezvousClosedError" in page


def test_a_page_for_each_example_shows_its_files(site: Path) -> None:
    page = (site / "examples" / "torchrun-job.html").read_text()
    assert "backoffLimitPerIndex" in page
    assert 'id="jobyaml"' in page


@pytest.mark.parametrize("link", ["gone.md", "concepts.md#gone", "../Makefile", "/absolute.md"])
def test_a_dead_link_fails_the_build(tmp_path: Path, link: str) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    shutil.copy(TOP / "docs" / "concepts.md", pages)
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", (pages / "concepts.md").read_text())
    (pages / "concepts.md").write_text(text)
    (pages / "index.md").write_text(f"[it]({link})\n")
    config = re.sub(r"(?ms)^(plugins|hooks|nav):.*?(?=^\w|\Z)", "", (TOP / "mkdocs.yml").read_text())
    (tmp_path / "mkdocs.yml").write_text(config)
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert "it" in done.stderr or link in done.stderr
