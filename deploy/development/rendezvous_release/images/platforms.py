"""The processors that images are made for, by each of their names."""

from dataclasses import dataclass

PYTHON = "3.13"
"""Debian's, of the release below."""

DEBIAN = "trixie"


@dataclass(frozen=True)
class Processor:
    """One of them.

    Attributes:
        name: as registries and Debian call it: `arm64`.
        variant: as registries add to it; may be empty.
        machine: as its kernel calls it, and wheels do: `aarch64`.
        elf: as `elftools` calls it.
        loader: path of the dynamic loader in the image.
    """

    name: str
    variant: str
    machine: str
    elf: str
    loader: str

    @property
    def triplet(self) -> str:
        """The folder of its libraries."""
        return f"{self.machine}-linux-gnu"


AMD64 = Processor("amd64", "", "x86_64", "EM_X86_64", "usr/lib64/ld-linux-x86-64.so.2")
ARM64 = Processor("arm64", "v8", "aarch64", "EM_AARCH64", "usr/lib/ld-linux-aarch64.so.1")
PROCESSORS = (AMD64, ARM64)
