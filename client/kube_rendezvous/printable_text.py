"""Text from elsewhere, made safe for a terminal, a log and a shell: anybody in the cluster may have written it."""

import re
import shlex
from collections.abc import Sequence

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"|[\ud800-\udfff]|[\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """One line, without what would steer the reader's terminal, hide a part of it or forge another line."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """As `printable`, for sentences that may honestly have several lines: a blank stands where one ended."""
    return printable(" ".join(text.splitlines()))


def one_lines(texts: Sequence[str]) -> tuple[str, ...]:
    """`one_line` of each. A status has thousands of names, of which hardly one was ever anything else: looked at in
    one go."""
    everything = "".join(texts)
    if everything.isascii() and everything.isprintable():
        return tuple(texts)
    return tuple(map(one_line, texts))


def shell_word(text: str) -> str:
    """One word of a command that a reader may paste into a shell, never more than one, and never an option."""
    return shlex.quote(printable(text).lstrip("-"))
