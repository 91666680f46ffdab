"""The command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from kube_rendezvous.resources import LARGEST_WORLD

_EXAMPLES = """\
examples:
  kubectl rendezvous doctor                           is the cluster ready for a first job?
  kubectl rendezvous list -A                          every rendezvous of the cluster
  kubectl rendezvous explain my-run                   why does it wait, who is in, who is not, what to do next
  kubectl rendezvous watch my-run                     ranks, pods, heartbeats as they change
  kubectl rendezvous dashboard                        the same and more in your browser
  kubectl rendezvous history my-run --plot rounds.png when rounds were formed, why, and what that cost
  kubectl rendezvous plan my-run --lose trainer-1 --add 1
                                                      which ranks would move (dry run)
  kubectl rendezvous close my-run --reason 'disk full'
  kubectl rendezvous reopen my-run
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `kubectl rendezvous`."""
    parser = argparse.ArgumentParser(
        prog="kubectl rendezvous",
        description="Look into Rendezvous objects: what happens, why, and what to do about it.",
        epilog=_EXAMPLES + "\nexit status: 0 done, 1 it could not be done (the message says why), 2 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _where(parser, None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _list(commands)
    _explain(commands)
    _watch(commands)
    _history(commands)
    _plan(commands)
    _dashboard(commands)
    _doctor(commands)
    _close(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _list(commands: Commands) -> None:
    command = _command(
        commands,
        "list",
        "the rendezvous of a namespace, one a line",
        "  kubectl rendezvous list\n  kubectl rendezvous list -A -o wide      with what happens now in a sentence\n"
        "  kubectl rendezvous list -o json | jq '.items[].status.round'",
    )
    command.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    _output(command, ("json", "yaml", "wide"), "json and yaml: the objects; wide: with the verdict")


def _explain(commands: Commands) -> None:
    command = _command(
        commands,
        "explain",
        "the whole story of one rendezvous in sentences, with the next step for whatever holds it up",
        "  kubectl rendezvous explain my-run\n"
        "  kubectl rendezvous explain my-run -o json | jq -r '.findings[].nextStep'",
    )
    _name(command)
    _output(command, ("json", "yaml"), "the findings for programs")


def _watch(commands: Commands) -> None:
    command = _command(
        commands,
        "watch",
        "ranks, members, pods, nodes and heartbeats as they change; Ctrl-C ends it",
        "  kubectl rendezvous watch my-run\n"
        "  kubectl rendezvous watch my-run | tee changes.log      one line a change when not on a terminal",
    )
    _name(command)


def _history(commands: Commands) -> None:
    command = _command(
        commands,
        "history",
        "the newest rounds: when, why, who came and went, time lost",
        "  kubectl rendezvous history my-run -o wide\n  kubectl rendezvous history my-run --plot rounds.svg",
    )
    _name(command)
    _output(command, ("json", "yaml", "wide"), "wide: with all names and the reason as a sentence")
    command.add_argument(
        "--plot", type=_picture, metavar="FILE", help="draw the world size over time into FILE.png or FILE.svg"
    )


def _plan(commands: Commands) -> None:
    command = _command(
        commands,
        "plan",
        "dry run: which ranks would move if members were lost and others came",
        "  kubectl rendezvous plan my-run --lose trainer-1            would a round still be formed?\n"
        "  kubectl rendezvous plan my-run --lose trainer-1 --add 1    the replacement takes the slot of the lost one\n"
        "  kubectl rendezvous plan my-run --add 4 --on gpu-7 gpu-8    newcomers on these nodes, in turn",
    )
    _name(command)
    command.add_argument("--lose", nargs="+", action="extend", default=[], metavar="POD|MEMBER", help="who is lost")
    command.add_argument("--add", type=_number, default=0, metavar="N", help="how many newcomers join")
    command.add_argument(
        "--on",
        nargs="+",
        action="extend",
        default=[],
        metavar="NODE",
        help="nodes of the newcomers (ranks by topology)",
    )
    _output(command, ("json", "yaml"), "the plan for programs")


def _dashboard(commands: Commands) -> None:
    command = _command(
        commands,
        "dashboard",
        "serve a page to this machine's browser: members by topology, rounds, what holds them up, as it happens",
        "  kubectl rendezvous dashboard -A\n"
        "  kubectl rendezvous dashboard --port 8001      then `ssh -L 8001:127.0.0.1:8001 HOST` from elsewhere",
    )
    command.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    command.add_argument("--port", type=_port, default=0, metavar="N", help="on 127.0.0.1 (default: any free one)")


def _doctor(commands: Commands) -> None:
    command = _command(
        commands,
        "doctor",
        "whether the cluster is ready for a job in this namespace, with the command that mends what is not",
        "  kubectl rendezvous doctor -n team-a                    reads only\n"
        "  kubectl rendezvous doctor -n team-a --try              makes a Rendezvous, to see an operator answer\n"
        "  kubectl rendezvous doctor -n team-a --image TRAINER    runs two pods of the image, too, for some seconds",
    )
    command.add_argument(
        "--service-account", default="trainer", metavar="NAME", help="of the training pods (default: trainer)"
    )
    command.add_argument(
        "--operator-namespace", metavar="NS", help="where the operator is installed (default: it is looked for)"
    )
    command.add_argument(
        "--try", dest="attempt", action="store_true", help="make a Rendezvous, wait for an answer, delete it"
    )
    command.add_argument(
        "--image", default="", help="training image: run two pods of it that tell what it holds and call each other"
    )
    command.add_argument(
        "--image-pull-secret", action="append", default=[], metavar="NAME", help="for the image; may be given again"
    )
    command.add_argument(
        "--timeout", type=_seconds, default=180.0, metavar="SECONDS", help="for the two pods (default: 180)"
    )
    _output(command, ("json", "yaml"), "the findings for programs")


def _close(commands: Commands) -> None:
    command = _command(
        commands,
        "close",
        "form no further round and let nobody join",
        "  kubectl rendezvous close my-run --reason 'disk full'",
    )
    _name(command)
    command.add_argument("--reason", default="", help="shown by explain")
    _timeout(command)
    command = _command(
        commands,
        "reopen",
        "open a rendezvous that a person, a member or its failure policy closed",
        "  kubectl rendezvous reopen my-run",
    )
    _name(command)
    _timeout(command)


def _command(commands: Commands, name: str, says: str, examples: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # SUPPRESS: what stands before the command must not be overwritten by a default after it.
    _where(command, argparse.SUPPRESS)
    return command


def _where(parser: argparse.ArgumentParser, default: object) -> None:
    group = parser.add_argument_group("where, as for kubectl")
    group.add_argument("-n", "--namespace", default=default, help="default: the namespace of the context")
    group.add_argument("--context", default=default, help="of the kubeconfig; default: its current one")
    group.add_argument("--kubeconfig", default=default, metavar="FILE", help="default: KUBECONFIG, ~/.kube/config")


def _name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", type=_rendezvous_name, help="of the Rendezvous")


def _output(command: argparse.ArgumentParser, kinds: Sequence[str], says: str) -> None:
    command.add_argument("-o", "--output", choices=kinds, default="", help=says)


def _timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="for the operator to answer (default: 30)"
    )


def _rendezvous_name(text: str) -> str:
    """``rdzv/my-run`` is what kubectl prints and what people paste."""
    name = text.rsplit("/", 1)[-1]
    if not name:
        raise argparse.ArgumentTypeError("is no name")
    return name


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_WORLD:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of nodes from 0 to {LARGEST_WORLD}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return seconds


def _picture(text: str) -> Path:
    if not text.endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"{text!r}: name a file that ends in .png or .svg")
    return Path(text)
