"""`kube-rendezvous leave`: the trainer's container asks the sidecar to leave."""

import argparse

from kube_rendezvous.command.options import DEFAULT_LISTEN, Commands, address, command, option
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.exit_statuses import EXPLAINED, UNAVAILABLE

_DETAILS = (
    """\
Without --close the others are stopped and form a round without this node. With it the work is done, for all: the others
finish what they run, and no further round is formed. A trainer that has succeeded uses --close.

examples:
  ./train && kube-rendezvous leave --close

"""
    + EXPLAINED
)


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(commands, "leave", "leave the rendezvous (asks the sidecar)", _DETAILS, run)
    option(
        parser,
        "--listen",
        default=DEFAULT_LISTEN,
        type=address,
        metavar="HOST:PORT",
        help=f"of the sidecar (default: {DEFAULT_LISTEN})",
    )
    # No variable: what closes for all is to be said here and now.
    parser.add_argument("--close", action="store_true", help="the work is done, for all")


def run(options: argparse.Namespace) -> int:
    """Leave; returns the exit status."""
    from kube_rendezvous.sidecar.asking import SidecarUnreachableError, leave

    try:
        leave(options.listen, close=options.close)
    except SidecarUnreachableError as error:
        raise fail(UNAVAILABLE, str(error)) from error
    return 0
