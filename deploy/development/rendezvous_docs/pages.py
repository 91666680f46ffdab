"""What is wrong with the pages of the repository: dead links to files, names of the API that do not exist."""

from pathlib import Path, PurePosixPath

import yaml

from rendezvous_docs.api_names import Names, field_paths, metric_names, misspelt
from rendezvous_docs.references import DOCS, TOP
from rendezvous_docs.repository_links import missing_targets

_METRICS = DOCS / "reference" / "metrics.md"


def faults() -> list[str]:
    """One sentence each. Links between pages and to headings are left to mkdocs, whose build is strict."""
    crds = [yaml.safe_load(file.read_text()) for file in sorted((TOP / "crds").glob("*.yaml"))]
    names = Names(field_paths(crds), metric_names(_METRICS.read_text()))
    found = []
    for page in all_pages():
        source = page.relative_to(TOP)
        text = page.read_text()
        missing = missing_targets(text, PurePosixPath(source), _is_there)
        found += [f"{source}: the link to {target} leads nowhere" for target in missing]
        found += [f"{source}: there is no {name}" for name in misspelt(text, names)]
    return found


def _is_there(path: PurePosixPath) -> bool:
    return (TOP / path).exists()


def all_pages() -> list[Path]:
    """Every Markdown file that people read."""
    return sorted([*TOP.glob("*.md"), *DOCS.rglob("*.md"), *(TOP / "deploy").rglob("*.md"), *TOP.glob(".github/*.md")])
