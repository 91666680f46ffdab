"""The examples of `deploy/examples` as pages: what each shows, and its files."""

from pathlib import Path

from rendezvous_docs.repository_links import slug

_LANGUAGES = {".yaml": "yaml", ".py": "python", ".sh": "sh"}
_FIRST = "kustomization.yaml"
_HEAD = """\
# Examples

Of `deploy/examples`: `kubectl apply -k deploy/examples/NAME`.

| example | shows |
|---|---|
"""


def example_pages(folder: Path) -> dict[str, str]:
    """A page for each example, by its place on the site, and the list of all.

    Args:
        folder: `deploy/examples`.
    """
    examples = sorted(one for one in folder.iterdir() if one.is_dir() and _files(one))
    pages = {f"examples/{example.name}.md": _page(example) for example in examples}
    rows = "".join(f"| [{one.name}]({one.name}.md) | {_about(one)} |\n" for one in examples)
    loose = "".join(f"\n## {file.name}\n\n{_code(file)}" for file in _files(folder))
    return pages | {"examples/index.md": _HEAD + rows + loose}


def _page(example: Path) -> str:
    sections = "".join(f"\n## {file.name} {{ #{slug(file.name)} }}\n\n{_code(file)}" for file in _files(example))
    return f"# Example {example.name}\n\n{_about(example)}\n{sections}"


def _files(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix in _LANGUAGES]
    return sorted(files, key=lambda file: (file.name != _FIRST, file.name))


def _about(example: Path) -> str:
    """The comment at the head of its kustomization, up to the first command line in it."""
    kustomization = example / _FIRST
    lines: list[str] = []
    for line in kustomization.read_text().splitlines() if kustomization.is_file() else ():
        said = line.removeprefix("#")
        if said == line or not said.strip() or said.startswith("   "):
            break
        lines.append(said.strip())
    return " ".join(lines).replace("|", "\\|")


def _code(file: Path) -> str:
    return f"```{_LANGUAGES[file.suffix]}\n{file.read_text().rstrip()}\n```\n"
