"""Links of a page to files of the repository, as the site has them.

A link such as `../deploy/examples/torchrun-job/job.yaml` works for who reads the page in the repository. On the site
the same file is a section of a page of its own.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath as Path
from posixpath import normpath, relpath

EXAMPLES = Path("deploy/examples")
DOCS = Path("docs")

# Files outside docs/ that are pages of the site, too.
PAGES = {
    Path("CHANGELOG.md"): Path("changelog.md"),
    Path("CONTRIBUTING.md"): Path("contributing.md"),
    Path("SECURITY.md"): Path("security-policy.md"),
    Path("deploy/helm/kube-rendezvous/values.yaml"): Path("reference/chart.md"),
    Path("README.md"): Path("index.md"),
}

_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")


def with_site_links(text: str, source: Path, page: Path) -> str:
    """The text with each link to a file of the repository turned into one to a page of the site.

    What is no page of the site stays as it is: the strict build refuses it.

    Args:
        text: Markdown.
        source: its file, from the top of the repository.
        page: its place on the site.
    """

    def replaced(found: re.Match[str]) -> str:
        target = Path(normpath(source.parent / found["path"]))
        here = site_place(target)
        if here is None:
            return found[0]
        place, anchor = here
        return relpath(place, page.parent) + (found["anchor"] or anchor)

    return _LINK.sub(replaced, text)


def site_place(file: Path) -> tuple[Path, str] | None:
    """Page and anchor of a file or folder of the repository; None: the site does not show it."""
    if file in PAGES:
        return PAGES[file], ""
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS), ""
    if file.is_relative_to(EXAMPLES) and file != EXAMPLES:
        inside = file.relative_to(EXAMPLES)
        # What lies beside the folders is shown on the list of all examples.
        if len(inside.parts) == 1 and inside.suffix:
            return Path("examples/index.md"), f"#{slug(inside.name)}"
        return Path("examples") / f"{inside.parts[0]}.md", f"#{slug(inside.name)}" if len(inside.parts) > 1 else ""
    return None


def slug(name: str) -> str:
    """The anchor that mkdocs gives a heading that is the name of a file."""
    return re.sub(r"[^\w\s-]", "", name).strip().lower()


def missing_targets(text: str, source: Path, is_there: Callable[[Path], bool]) -> list[str]:
    """Links of a page to files of the repository that do not exist.

    Args:
        text, source: as for `with_site_links`.
        is_there: whether a path, from the top of the repository, exists.
    """
    targets = (found["path"] for found in _LINK.finditer(text))
    return [target for target in targets if not is_there(Path(normpath(source.parent / target)))]
