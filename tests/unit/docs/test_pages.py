"""What a page shows can be typed, and its links lead to files that a reader of the repository has."""

import ast
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from kube_rendezvous_core.liveness.heartbeat import MISSED_HEARTBEATS, heartbeat_interval
from rendezvous_docs.pages import all_pages
from rendezvous_docs.references import DOCS, TOP
from rendezvous_docs.repository_links import missing_targets

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=TOP, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name]


PAGES = tracked("*.md")


def blocks(page: str, language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall((TOP / page).read_text()) if name == language]


def pages_with(language: str) -> list[str]:
    return [page for page in PAGES if blocks(page, language)]


def test_every_page_of_the_repository_is_looked_at() -> None:
    assert {"README.md", "docs/survivors.md", "deploy/README.md"} <= set(PAGES)
    assert set(PAGES) <= {str(page.relative_to(TOP)) for page in all_pages()}, "`make lint` misses some"


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_parses(page: str) -> None:
    for text in blocks(page, "python"):
        ast.parse(text, page)


@pytest.mark.parametrize("page", pages_with("sh"))
def test_shell_parses(page: str) -> None:
    for text in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{text}"


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_tracked_file(page: str) -> None:
    files = {PurePosixPath(name) for name in tracked()}
    there = files | {folder for file in files for folder in file.parents}
    assert missing_targets((TOP / page).read_text(), PurePosixPath(page), there.__contains__) == []


def test_a_step_of_the_survivors_example_is_counted() -> None:
    """`share` gives the same samples until then."""
    for text in blocks("docs/survivors.md", "python"):
        assert text.count("sampler.share(") == text.count("sampler.step_is_done()")


def test_the_limits_of_silence_are_those_of_the_operator() -> None:
    page = Path(DOCS / "failure-modes.md").read_text()
    said = re.findall(r"(\d+) s (?:up to|with) ([\d,]+)", page)
    assert len(said) == 4
    for seconds, members in said:
        assert int(seconds) == MISSED_HEARTBEATS * heartbeat_interval(5, 0, int(members.replace(",", "")))
