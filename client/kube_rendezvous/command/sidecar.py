"""`kube-rendezvous sidecar`: takes part for a trainer in another container of the pod."""

import argparse
from pathlib import Path

from kube_rendezvous.command.ending_signals import hear_ending_signals
from kube_rendezvous.command.options import (
    DEFAULT_LISTEN,
    Commands,
    address,
    command,
    option,
    rendezvous_options,
    split_address,
)
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.command.taking_part import log_to_stderr, take_part
from kube_rendezvous.exit_statuses import EXPLAINED, USAGE

_DETAILS = (
    """\
What it says: DIR/round.env (variables as of `run`, and RENDEZVOUS_STATE), DIR/round.json, GET /v1/round. States:
  waiting  no round yet
  formed   run, as RANK of WORLD_SIZE; RANK=0 listens on MASTER_PORT
  forming  this round is over: stop. `reason` and `message` say why
  closed   there will be no round any more: stop
  left     this node has left: stop
The trainer's rule: run while the state is formed and the round is the one you were started with.

HTTP:
  GET  /v1/round                what is said now
  GET  /v1/round?after=3        waits for a round newer than 3; 410 if there will be none
  GET  /v1/round?changed=7      waits until `sequence` is not 7 any more; &timeout=S, then 204
  POST /v1/ready?round=3        the trainer has stopped round 3 (--wait-for-trainer); or write 3 into DIR/ready
  POST /v1/leave?close=true     the work is done, for all; without close: leave, the others go on
  GET  /startupz                200 once the first round was formed; /livez
Only this pod may POST. For probes by HTTP use --listen 0.0.0.0:8790; or exec
`kube-rendezvous wait --dir DIR --timeout 1`.

SIGTERM: leaves, so that the others go on without this node; closes if DIR/finished is there or with --close-on-term. A
trainer that is done should say so before it exits, or the others are stopped to form a round without it.

As a native sidecar (an init container with restartPolicy: Always), with the wait above as its startupProbe, the main
container starts with its rank in hand.

examples:
  kube-rendezvous sidecar --name my-run --nnodes 2:4 --dir /rendezvous
  while ! [ -e /tmp/done ]; do kube-rendezvous wait --dir /rendezvous && . /rendezvous/round.env && ...; done

"""
    + EXPLAINED
)


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(
        commands, "sidecar", "take part for a trainer in another container, by files and HTTP", _DETAILS, run
    )
    rendezvous_options(parser, joins=True)
    group = parser.add_argument_group("the trainer")
    option(group, "--dir", type=Path, metavar="DIR", help="folder that it shares with the trainer; default: none")
    option(
        group,
        "--listen",
        type=lambda text: text if text == "off" else address(text),
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help=f"where to serve HTTP, or off (default: {DEFAULT_LISTEN})",
    )
    option(
        group,
        "--wait-for-trainer",
        action="store_true",
        help="when a round is over, join again only after the trainer has said that it has stopped",
    )
    option(group, "--close-on-term", action="store_true", help="SIGTERM means that the work is done, for all")


def run(options: argparse.Namespace) -> int:
    """Take part until SIGTERM; returns the exit status."""
    log_to_stderr(options.log_level)
    host, port = ("", 0) if options.listen == "off" else split_address(options.listen)
    if not host and options.dir is None:
        raise fail(USAGE, "sidecar: --listen off without --dir tells nobody anything")
    if options.dir is not None and not options.dir.is_dir():
        raise fail(USAGE, f"sidecar: --dir {options.dir} is no folder: mount a volume there, shared with the trainer")
    participation = take_part(options)

    from kube_rendezvous.sidecar.service import Sidecar, SidecarSettings

    settings = SidecarSettings(options.dir, host, port, options.wait_for_trainer, options.close_on_term)
    sidecar = Sidecar(participation, settings)
    hear_ending_signals(sidecar.signalled)
    try:
        return sidecar.run()
    except OSError as error:
        participation.leave()
        raise fail(
            USAGE, f"sidecar: {error}; can {options.dir or 'the address'} be used with {options.listen}?"
        ) from error
