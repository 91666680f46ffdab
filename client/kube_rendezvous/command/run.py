"""`kube-rendezvous run`: a command in every round, started, stopped and started again."""

import argparse
import os
import shutil
from typing import TYPE_CHECKING

from kube_rendezvous.command.ending_signals import hear_ending_signals
from kube_rendezvous.command.options import Commands, command, count, option, rendezvous_options, seconds
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.command.taking_part import log_to_stderr, take_part
from kube_rendezvous.exit_statuses import USAGE
from kube_rendezvous.trainer_process.orphans import wait_for_children_here

if TYPE_CHECKING:
    from kube_rendezvous.keeping.runner import Runner as KeepingRunner
    from kube_rendezvous.participation import Participation
    from kube_rendezvous.trainer_process.runner import Runner

_NOT_FOUND = 127

_DETAILS = """\
The command gets RANK, WORLD_SIZE, LOCAL_RANK=0, LOCAL_WORLD_SIZE=1, GROUP_RANK, GROUP_WORLD_SIZE, MASTER_ADDR,
MASTER_PORT, RENDEZVOUS_NAME, RENDEZVOUS_NAMESPACE, RENDEZVOUS_ROUND, and for JAX JAX_COORDINATOR_ADDRESS,
JAX_NUM_PROCESSES, JAX_PROCESS_ID (`import kube_rendezvous.jax_cluster` makes jax.distributed.initialize() find them).
It is one process a node (more with --keep-survivors). The process with RANK=0 must listen on MASTER_PORT, as torch's
and JAX's do; the port is kept for it until it starts.

When a node dies, leaves or comes, the command gets SIGTERM (and SIGKILL after --grace), with all that it has started,
and is started again in the new round. This costs no restart. When it fails by itself, everybody goes to a new round
while --max-restarts lasts; after that this node leaves with the command's exit status, and the others form a round
without it or with its replacement. When it succeeds, the rendezvous is closed, as torchrun does: the others may finish.

With --keep-survivors nobody is stopped when a node dies, leaves or comes: the command's workers take each round in by
themselves, in Python: `with kube_rendezvous.survival.survive() as group: for round in group: ...`. A worker that ends
is started again alone, while --max-restarts lasts; until it is ready this node gives up its place, so that the others
go on at once. Workers get torchrun's variables: LOCAL_RANK and LOCAL_WORLD_SIZE when they start; RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT with each round. When all have ended with success, the rendezvous is closed.

SIGTERM, SIGINT, SIGHUP, SIGQUIT: handed on to the command; when it has ended, this node leaves and the others go on. A
second one kills it. The command never outlives `kube-rendezvous run`, even if that gets SIGKILL.

exit status: the command's, 128 + N if signal N ended it; without a command's:
  0     done, or not needed here (spec.standby.max)
  2     wrong usage
  69    the API server is out of reach or refuses us; the message says what to do
  70    an error in kube-rendezvous
  75    no round within --join-timeout
  79    the rendezvous is closed
  126, 127  the command cannot be executed, or is not found
  128+N signal N came while it waited for a round

examples:
  kube-rendezvous run --name my-run --nnodes 2:4 -- python train.py
  kube-rendezvous run --name my-run --nnodes 8 --max-restarts 3 --grace 120 -- ./train --checkpoint /data
  kube-rendezvous run --name my-run --nnodes 2:4 --keep-survivors --nproc-per-node 8 -- python train_surviving.py
"""


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(commands, "run", "join, and run a command in every round", _DETAILS, run)
    parser.usage = "kube-rendezvous run --name NAME --nnodes MIN[:MAX] [options] -- COMMAND [ARGUMENT...]"
    rendezvous_options(parser, joins=True)
    group = parser.add_argument_group("the command")
    option(
        group,
        "--max-restarts",
        type=count,
        default=None,
        metavar="N",
        help="how many failures of the command are answered by a new round, or with --keep-survivors by starting the "
        "failed worker again (default: 0, as torchrun; with --keep-survivors 3)",
    )
    option(
        group,
        "--grace",
        type=seconds,
        default=30.0,
        metavar="S",
        help="seconds between SIGTERM and SIGKILL (default: 30, as torchrun)",
    )
    option(
        group,
        "--on-failure",
        choices=("leave", "close"),
        default="leave",
        help="what to do when the command has failed for good: leave, so that the others go on without this node or "
        "with its replacement; close, so that all end, as torchrun does (default: leave)",
    )
    option(
        group,
        "--inherit-socket",
        action="store_true",
        help="hand the listening socket itself on to rank 0, its descriptor in RENDEZVOUS_SOCKET_FD, for commands that "
        "take one (torch: TCPStore(master_listen_fd=...)): nobody's early connection is refused",
    )
    group = parser.add_argument_group("survivors keep their processes")
    option(
        group,
        "--keep-survivors",
        action="store_true",
        help="the command takes new rounds in by itself (kube_rendezvous.survival.survive) and lives through them",
    )
    option(
        group,
        "--nproc-per-node",
        type=count,
        default=1,
        metavar="N",
        help="workers of this node, each with its LOCAL_RANK; needs --keep-survivors (default: 1)",
    )
    option(
        group,
        "--take-in-limit",
        type=seconds,
        default=120.0,
        metavar="S",
        help="seconds in which a worker has to take a round in, before it is started again (default: 120)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command in every round; returns the exit status."""
    log_to_stderr(options.log_level)
    if shutil.which(options.trainer[0]) is None:
        raise fail(_NOT_FOUND, f"{options.trainer[0]}: command not found")
    if options.nproc_per_node < 1 or (options.nproc_per_node > 1 and not options.keep_survivors):
        raise fail(USAGE, "--nproc-per-node: at least 1, and more than 1 with --keep-survivors only (or use torchrun)")
    if options.inherit_socket and options.keep_survivors:
        raise fail(USAGE, "--inherit-socket: with --keep-survivors the workers get the socket in any case")
    wait_for_children_here()
    participation = take_part(options)
    runner = _keeping_runner(options, participation) if options.keep_survivors else _runner(options, participation)
    hear_ending_signals(runner.signalled)
    return runner.run()


def _runner(options: argparse.Namespace, participation: "Participation") -> "Runner":
    from kube_rendezvous.trainer_process.lifecycle import Policy
    from kube_rendezvous.trainer_process.runner import Runner

    return Runner(
        participation,
        options.trainer,
        os.environ,
        policy=Policy(options.max_restarts or 0, close_on_failure=options.on_failure == "close"),
        grace=options.grace,
        inherit_socket=options.inherit_socket,
    )


def _keeping_runner(options: argparse.Namespace, participation: "Participation") -> "KeepingRunner":
    from kube_rendezvous.keeping.lifecycle import Policy
    from kube_rendezvous.keeping.runner import Runner

    restarts = Policy().max_restarts if options.max_restarts is None else options.max_restarts
    return Runner(
        participation,
        options.trainer,
        os.environ,
        workers=options.nproc_per_node,
        policy=Policy(restarts, close_on_failure=options.on_failure == "close"),
        grace=options.grace,
        take_in_limit=options.take_in_limit,
    )
