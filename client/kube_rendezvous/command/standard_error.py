"""The last words of a command."""

import sys

from kube_rendezvous.printable_text import printable


def fail(status: int, text: str) -> SystemExit:
    """Says why on stderr; raise what it returns."""
    sys.stderr.write(f"kube-rendezvous: {printable(text)}\n")
    return SystemExit(status)
