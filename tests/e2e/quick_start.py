"""The commands of docs/quick-start.md, as they stand there, for a cluster under test."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "quick-start.md"

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONTINUED = re.compile(r"\s*\\\n\s*")
_STEP = re.compile(r"^## (\d+)\. ", re.MULTILINE)


def commands(page: str, first_step: int) -> Iterator[str]:
    """Each command from a step of the page on; lines that end with a backslash go on in the next one.

    Args:
        page: text of it.
        first_step: number of its heading.
    """
    began = next(found.start() for found in _STEP.finditer(page) if int(found[1]) == first_step)
    for block in _BLOCK.findall(page[began:]):
        yield from (line for line in _CONTINUED.sub(" ", block).splitlines() if line)


def for_this_cluster(command: str, operator_image: str) -> str:
    """The command with the reader's own registry and tag put in.

    Args:
        command: as it stands on the page.
        operator_image: NAME:TAG.
    """
    repository, _, tag = operator_image.rpartition(":")
    return command.replace("REGISTRY/kube-rendezvous/operator", repository).replace(
        "image.tag=0.1.0", f"image.tag={tag}"
    )


def name_images(kustomization: Path, images: Mapping[str, str]) -> None:
    """Do what the page asks for in words: name the reader's own images in an example.

    Args:
        kustomization: the file, which is changed.
        images: NAME:TAG for each `name` under `images`.
    """
    text = kustomization.read_text()
    for name, image in images.items():
        new, _, tag = image.rpartition(":")
        text, count = re.subn(
            rf"(- name: {re.escape(name)}\n\s+newName: )\S+([^\n]*\n\s+newTag: )\S+", rf'\g<1>{new}\g<2>"{tag}"', text
        )
        if count != 1:
            raise ValueError(f"{kustomization} names {count} images {name}, not one")
    kustomization.write_text(text)
