"""`docs/reference/chart.md`: every value of the chart with its default, from the comments of its `values.yaml`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):(?: (?P<default>.*))?")
_HEAD = """\
# Values of the chart

<!-- Generated from deploy/helm/kube-rendezvous/values.yaml by `make generate`. -->

A value that does not exist is refused (`values.schema.json`).

| value | default | |
|---|---|---|
"""


@dataclass(frozen=True)
class Value:
    """One value that a comment explains."""

    path: str
    default: str
    text: str


def values_reference(values: str) -> str:
    """The page.

    Args:
        values: text of `values.yaml`; what begins with `# -- ` explains the key that follows.
    """
    return _HEAD + "".join(
        f"| `{value.path}` | {_code(value.default)} | {value.text.replace('|', chr(92) + '|')} |\n"
        for value in explained(values)
    )


def explained(values: str) -> Iterator[Value]:
    """The values that a comment explains, in the order of the file."""
    lines = values.splitlines()
    above: list[tuple[int, str]] = []
    said: list[str] = []
    for number, line in enumerate(lines):
        comment = line.strip()
        if comment.startswith("# -- "):
            said = [comment.removeprefix("# -- ")]
        elif comment.startswith("# ") and said:
            said.append(comment.removeprefix("# "))
        elif found := _LINE.fullmatch(line):
            indent, key = len(found["indent"]), found["key"]
            above = [*(one for one in above if one[0] < indent), (indent, key)]
            if said:
                default = found["default"] or "; ".join(_below(lines[number + 1 :], indent))
                yield Value(".".join(key for _, key in above), default, " ".join(said))
                said = []


def _below(lines: list[str], indent: int) -> Iterator[str]:
    """The lines that belong to a key, as a default of several lines."""
    for line in lines:
        if len(line) - len(line.lstrip()) <= indent or line.strip().startswith("#"):
            return
        yield line.strip()


def _code(default: str) -> str:
    return f"`{default.replace('|', chr(92) + '|')}`" if default else ""
