"""`kube-rendezvous wait`: until the sidecar says that a round stands. Also a start-up probe."""

import argparse

from kube_rendezvous.command.options import Commands, command, count, option, seconds, sidecar_place
from kube_rendezvous.command.sidecar_answers import asking, why_none
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.exit_statuses import EXPLAINED, UNAVAILABLE

_DETAILS = (
    """\
examples:
  kube-rendezvous wait --dir /rendezvous                 for the first round, or the one that stands
  kube-rendezvous wait --dir /rendezvous --after 3       for the one after round 3
  kube-rendezvous wait --dir /rendezvous --timeout 1     as an exec start-up probe of the sidecar

"""
    + EXPLAINED
)


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(commands, "wait", "wait until a round stands (asks the sidecar)", _DETAILS, run)
    sidecar_place(parser)
    option(parser, "--after", type=count, default=0, metavar="N", help="for a round newer than N (default: 0)")
    option(parser, "--timeout", type=seconds, default=600.0, metavar="S", help="seconds to wait (default: 600)")


def run(options: argparse.Namespace) -> int:
    """Wait; returns the exit status."""
    from kube_rendezvous.sidecar.asking import SidecarUnreachableError, wait_for_round

    try:
        said = wait_for_round(asking(options), options.after, options.timeout)
    except SidecarUnreachableError as error:
        raise fail(UNAVAILABLE, str(error)) from error
    if said is not None and said.stands_after(options.after):
        return 0
    status, text = why_none(said)
    raise fail(status, text)
