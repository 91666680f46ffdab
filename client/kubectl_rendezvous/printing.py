"""The one place that writes to the reader: colours and wrapping on a terminal only, nothing that steers it."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kube_rendezvous.printable_text import printable
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.story import Section
from kubectl_rendezvous.tables import Table, aligned

if TYPE_CHECKING:
    from rich.console import Console


class Printer:
    """Prints to standard output.

    Raises:
        CommandError: rich is not installed.
    """

    def __init__(self) -> None:
        try:
            from rich import console
        except ImportError as error:
            raise CommandError(
                f"`kubectl rendezvous` needs rich ({error}): install the extra, `pip install 'kube-rendezvous[cli]'`"
            ) from error
        self.console: Console = console.Console(highlight=False, markup=False, emoji=False, file=sys.stdout)

    @property
    def on_terminal(self) -> bool:
        """Whether somebody watches."""
        return self.console.is_terminal

    def line(self, text: str = "", style: str | None = None) -> None:
        """Print one line: wrapped on a terminal, whole elsewhere."""
        self.console.print(printable(text), style=style, soft_wrap=not self.on_terminal)

    def verbatim(self, lines: Iterable[str]) -> None:
        """Print lines with aligned columns: never wrapped here, the first one as a heading."""
        for number, text in enumerate(lines):
            self.console.print(printable(text), style="bold" if number == 0 else None, soft_wrap=True)

    def table(self, table: Table) -> None:
        """Print a table as kubectl prints its own."""
        self.verbatim(aligned(table))

    def sections(self, sections: Iterable[Section]) -> None:
        """Print a story."""
        for number, section in enumerate(sections):
            if number:
                self.line()
            self.line(section.title, style="bold")
            if section.verbatim:
                self.verbatim(f"  {text}" for text in section.lines)
                continue
            for text in section.lines:
                self._indented(text)

    def document(self, document: Any, kind: str) -> None:
        """Print for programs.

        Args:
            kind: json or yaml.
        """
        if kind == "json":
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
            return
        import yaml

        yaml.safe_dump(document, sys.stdout, sort_keys=False, allow_unicode=False, width=10_000)

    def _indented(self, text: str) -> None:
        if not self.on_terminal:
            self.line(f"  {text}")
            return
        from rich.padding import Padding
        from rich.text import Text

        stripped = text.lstrip()
        style = "green" if stripped.startswith("→") else ""
        self.console.print(Padding(Text(printable(stripped), style=style), (0, 0, 0, 2 + len(text) - len(stripped))))
