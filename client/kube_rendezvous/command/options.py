"""Options of the command line, each with a variable KUBE_RENDEZVOUS_… for its default."""

import argparse
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from kube_rendezvous.setting_names import nearest

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_PREFIX = "KUBE_RENDEZVOUS_"
_OTHER_VARIABLES = frozenset({"KUBE_RENDEZVOUS_ENGINE"})
_OF_A_SERVICE = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$")
"""The kubelet names each Service of the namespace in variables, and one may be called kube-rendezvous."""

_TRUE, _FALSE = frozenset({"1", "true", "yes", "y", "t"}), frozenset({"0", "false", "no", "n", "f", ""})

DEFAULT_LISTEN = "127.0.0.1:8790"


def option(
    parser: Any, flag: str, *, environment: Mapping[str, str] | None = None, required: bool = False, **keywords: Any
) -> None:
    """Add ``--some-flag`` with KUBE_RENDEZVOUS_SOME_FLAG as its default. An empty variable counts as not set.

    Args:
        parser: parser or group.
        flag: begins with ``--``.
        environment: to read; None: the process's.
        required: must be given, as an option or as a variable.
        keywords: as of `add_argument`; ``action`` may be ``store_true``.
    """
    environ = os.environ if environment is None else environment
    variable = _variable(flag)
    said = environ.get(variable, "")
    keywords["help"] = f"{keywords.get('help', '')} [{variable}]".replace("%", "%%")
    if keywords.get("action") == "store_true":
        if said:
            keywords["default"] = _truth(variable, said)
    elif said:
        keywords["default"] = said  # argparse reads a default that is text as if it had been typed
    parser.add_argument(flag, required=required and not said, **keywords)


def mistaken_variables(environment: Mapping[str, str], parsers: Iterable[argparse.ArgumentParser]) -> Iterator[str]:
    """For each variable that is probably an option's mistyped: a sentence. It would be ignored without a word.

    Args:
        environment: of the process.
        parsers: of all subcommands.
    """
    known = {_variable(flag) for parser in parsers for flag in parser._option_string_actions if flag.startswith("--")}
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known | _OTHER_VARIABLES and not _OF_A_SERVICE.search(name):
            meant = nearest(name.removeprefix(_PREFIX), (one.removeprefix(_PREFIX) for one in known))
            if meant:
                yield f"the variable {name} is ignored: did you mean {_PREFIX}{meant}?"


def _variable(flag: str) -> str:
    return _PREFIX + flag.removeprefix("--").upper().replace("-", "_")


def command(commands: Commands, name: str, says: str, details: str, run: Callable[..., int]) -> Any:
    """Add a subcommand.

    Args:
        commands: of the parser.
        name: of the subcommand.
        says: one line for the overview.
        details: after the options: examples, exit statuses.
        run: called with the parsed options; returns the exit status.
    """
    parser = commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def rendezvous_options(parser: Any, *, joins: bool) -> None:
    """Which Rendezvous, and (`joins`) how to take part in it."""
    group = parser.add_argument_group("which rendezvous")
    option(group, "--name", required=True, metavar="NAME", help="of the Rendezvous object")
    option(group, "--namespace", metavar="NS", help="of it; default: the pod's own, or the kubeconfig's")
    option(group, "--kubeconfig", metavar="FILE", help="default: KUBECONFIG, the pod's own, ~/.kube/config")
    option(group, "--context", metavar="NAME", help="of the kubeconfig")
    option(
        parser,
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="of what goes to stderr (default: info)",
    )
    if not joins:
        return
    group = parser.add_argument_group("how to take part")
    option(
        group,
        "--nnodes",
        type=nodes,
        default=None,
        required=True,
        metavar="MIN[:MAX]",
        help="how many nodes a round has; used when the Rendezvous has to be created, else its spec wins",
    )
    option(group, "--join-timeout", type=whole_seconds, default=600, metavar="S", help="for one round (default: 600)")
    option(group, "--close-timeout", type=whole_seconds, default=30, metavar="S", help="for closing (default: 30)")
    option(group, "--last-call-timeout", type=int, metavar="S", help="lastCallSeconds of a Rendezvous that is created")
    option(group, "--address", metavar="ADDRESS", help="how other nodes reach this one; default: found")
    option(group, "--slot", metavar="SLOT", help="stable place; default: completion index, StatefulSet ordinal")
    option(
        group,
        "--create",
        choices=("if-missing", "never"),
        default="if-missing",
        help="whether a missing Rendezvous is created, or waited for (default: if-missing)",
    )


def sidecar_place(parser: Any) -> None:
    """Where the sidecar's words are to be found."""
    group = parser.add_argument_group("which sidecar")
    option(group, "--dir", type=Path, metavar="DIR", help="the folder it writes to; without it, --listen is asked")
    option(
        group, "--listen", default=DEFAULT_LISTEN, type=address, metavar="HOST:PORT", help=f"default: {DEFAULT_LISTEN}"
    )


def nodes(text: str) -> tuple[int, int]:
    """``2:4`` or ``2``."""
    match = re.fullmatch(r"(\d{1,6})(?::(\d{1,6}))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write MIN:MAX, for example 2:4, or one number")
    low = int(match[1])
    high = int(match[2]) if match[2] else low
    if not 1 <= low <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: the fewest nodes must be at least 1, and not more than the most")
    return low, high


def whole_seconds(text: str) -> int:
    """A whole number of seconds above 0."""
    if not re.fullmatch(r"\d{1,7}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of seconds above 0")
    return int(text)


def seconds(text: str) -> float:
    """Seconds from 0."""
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e8:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return value


def count(text: str) -> int:
    """A number from 0."""
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return int(text)


def address(text: str) -> str:
    """``127.0.0.1:8790`` or ``[::1]:8790``."""
    try:
        split_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; ``[HOST]:PORT`` for IPv6.

    Raises:
        ValueError: it is neither.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([0-9A-Za-z._-]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"{text!r}: write HOST:PORT, for example 127.0.0.1:8790 or [::1]:8790")
    return match[1] or match[2], int(match[3])


def _truth(variable: str, text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise SystemExit(f"kube-rendezvous: {variable}={text!r}: write true or false")
