"""Checks what cannot be run here: all programs and libraries are for the processor, and find what they need."""

import io
from collections.abc import Iterator
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from rendezvous_release.images.platforms import Processor
from rendezvous_release.images.tree import Tree

MAGIC = b"\x7fELF"


def faults(tree: Tree, processor: Processor) -> Iterator[str]:
    """What would not run, as sentences.

    Args:
        tree: all layers of an image.
    """
    names = {path.rpartition("/")[2] for path in tree}
    for path, node in sorted(tree.items()):
        if not node.content.startswith(MAGIC):
            continue
        try:
            elf = ELFFile(io.BytesIO(node.content))
            machine = elf["e_machine"]
            needed = [tag.needed for tag in _dynamic(elf) if tag.entry.d_tag == "DT_NEEDED"]
        except ELFError as error:
            yield f"{path} is damaged: {error}"
            continue
        if machine != processor.elf:
            yield f"{path} is for {machine}, not for {processor.elf}"
        for library in needed:
            if library not in names:
                yield f"{path} needs {library}, which is not there"


def _dynamic(elf: ELFFile) -> Iterator[Any]:
    for segment in elf.iter_segments():
        if isinstance(segment, DynamicSegment):
            yield from segment.iter_tags()
