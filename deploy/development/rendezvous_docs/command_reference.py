"""The page of the command lines: what `--help` says, word for word."""

import argparse
import os
from collections.abc import Iterator, Mapping
from unittest.mock import patch

from kube_rendezvous.command.parser import build_parser as client_parser
from kube_rendezvous_operator.__main__ import build_parser as operator_parser
from kubectl_rendezvous.arguments import build_parser as kubectl_parser

_HEAD = """\
# Commands

What `--help` says. The same options of `kube-rendezvous` can be given by variables, whose names are in brackets.
"""


def command_reference() -> str:
    """The page; its width does not depend on the reader's terminal."""
    with patch.dict(os.environ, {"COLUMNS": "110"}):
        return _HEAD + "".join(
            f"\n{'#' * level} {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"
            for parser, level in _parsers()
        )


def _parsers() -> Iterator[tuple[argparse.ArgumentParser, int]]:
    for parser in (client_parser(), kubectl_parser(), operator_parser()):
        yield parser, 2
        for action in parser._actions:
            if isinstance(action.choices, Mapping):
                yield from ((command, 3) for command in action.choices.values())
