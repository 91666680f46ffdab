"""`kube-rendezvous env`: the variables of the round that stands, for a shell."""

import argparse
import sys

from kube_rendezvous.command.options import Commands, command, sidecar_place
from kube_rendezvous.command.sidecar_answers import asking, why_none
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.exit_statuses import EXPLAINED, UNAVAILABLE

_DETAILS = (
    """\
Prints nothing unless a round stands.

examples:
  eval "$(kube-rendezvous env --dir /rendezvous)" && echo "rank $RANK of $WORLD_SIZE"

"""
    + EXPLAINED
)


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(
        commands, "env", "print the variables of the round that stands as shell `export` lines", _DETAILS, run
    )
    sidecar_place(parser)


def run(options: argparse.Namespace) -> int:
    """Print; returns the exit status."""
    from kube_rendezvous.round_environment import environment_of, shell_lines
    from kube_rendezvous.sidecar.asking import SidecarUnreachableError

    try:
        said = asking(options)()
    except SidecarUnreachableError as error:
        raise fail(UNAVAILABLE, str(error)) from error
    if said is None or said.standing is None or not said.stands_after(0):
        status, text = why_none(said)
        raise fail(status, text)
    sys.stdout.write(shell_lines(environment_of(said.standing), export=True))
    return 0
