"""Reads where this machine gets its Debian packages from: a base image is made from the same place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

APT = Path("/etc/apt")
ONE_LINE = re.compile(r"^\s*deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True)
class Source:
    """One place of packages.

    Attributes:
        mirror: Its URL.
        suite: The release there, as in ``bookworm``.
        components: As in ``main``.
    """

    mirror: str
    suite: str
    components: tuple[str, ...]


def own_source(apt: Path = APT) -> Source:
    """The source of this machine's own release.

    Raises:
        LocalControlPlaneError: apt has none here.
    """
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    found = [source for file in files if file.is_file() for source in read_sources(file.suffix, file.read_text())]
    # A release has the component main. Its updates and security fixes come from suites with a hyphen in their name.
    for source in found:
        usable = source.mirror.startswith(("http://", "https://", "file:"))
        if usable and "main" in source.components and source.suite.isalpha():
            return source
    raise LocalControlPlaneError(
        f"no Debian release in the sources below {apt}: a base image cannot be made. Name one that your image tool"
        " can pull or has already: BASE=…"
    )


def read_sources(kind: str, text: str) -> list[Source]:
    """The binary sources in one file of apt's.

    Args:
        kind: The file's suffix: ``.sources`` for stanzas, ``.list`` for lines; others hold none.
        text: What is in it.
    """
    if kind == ".sources":
        return [source for stanza in re.split(r"\n\s*\n", text) for source in _stanza(stanza)]
    if kind == ".list":
        return [source for line in text.splitlines() for source in _line(line)]
    return []


def _line(line: str) -> Iterable[Source]:
    found = ONE_LINE.match(line.partition("#")[0])
    if found:
        yield Source(found["uri"].rstrip("/"), found["suite"], tuple(found["components"].split()))


def _stanza(stanza: str) -> Iterable[Source]:
    fields: dict[str, list[str]] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():  # a field goes on
            fields.setdefault(name, []).extend(line.split())
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.split()
    if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
        return
    for mirror in fields.get("uris", []):
        for suite in fields.get("suites", []):
            yield Source(mirror.rstrip("/"), suite, tuple(fields.get("components", [])))
