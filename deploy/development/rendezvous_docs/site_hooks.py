"""What mkdocs calls: pages that are made at build time, and links to files of the repository."""

from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from rendezvous_docs.command_reference import command_reference
from rendezvous_docs.example_pages import example_pages
from rendezvous_docs.references import TOP
from rendezvous_docs.repository_links import PAGES, with_site_links

COMMANDS = "reference/commands.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for place, text in _made_pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links of the site."""
    place = PurePosixPath(page.file.src_uri)
    source = {page: file for file, page in PAGES.items() if file.suffix == ".md" and file.name != "README.md"}
    return with_site_links(markdown, source.get(place, PurePosixPath("docs") / place), place)


def _made_pages() -> dict[str, str]:
    top: dict[str, Any] = {
        str(place): _read(TOP / file) for file, place in PAGES.items() if file.parent == PurePosixPath(".")
    }
    del top["index.md"]  # the README is short; docs/index.md is the site's
    return {COMMANDS: command_reference(), **top, **example_pages(TOP / "deploy" / "examples")}


def _read(file: Path) -> str:
    return file.read_text()
