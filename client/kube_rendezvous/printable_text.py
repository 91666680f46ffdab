"""Text from elsewhere, made safe for a terminal and a log: names and messages come from anybody in the cluster."""

import re

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """One line, without what would steer the reader's terminal or forge another line."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
