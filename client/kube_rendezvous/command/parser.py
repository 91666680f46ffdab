"""The whole command line."""

import argparse
import os
import sys
from collections.abc import Sequence

from kube_rendezvous.command import env, leave, run, sidecar, status, wait
from kube_rendezvous.command.options import mistaken_variables
from kube_rendezvous.exit_statuses import EXPLAINED

_EXAMPLES = """\
examples:
  kube-rendezvous run --name my-run --nnodes 2:4 -- python train.py
                                       a trainer a round, with RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
  kube-rendezvous sidecar --name my-run --nnodes 2:4 --dir /rendezvous
                                       the same for a trainer in another container, by files and HTTP
  kube-rendezvous wait --dir /rendezvous && . /rendezvous/round.env
                                       in the trainer's container: when the round stands, with its place
  kube-rendezvous leave --close        in the trainer's container: the work is done
  kube-rendezvous status --name my-run what happens with it

Every option has a variable: --name is KUBE_RENDEZVOUS_NAME. For torch, use torchrun --rdzv-backend=kubernetes.

"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `kube-rendezvous`, without what stands after ``--``."""
    return _parsers()[0]


def _parsers() -> tuple[argparse.ArgumentParser, list[argparse.ArgumentParser]]:
    """The whole, and one for each command."""
    parser = argparse.ArgumentParser(
        prog="kube-rendezvous",
        description="Elastic rendezvous on Kubernetes for everything that is not torchrun.",
        epilog=_EXAMPLES + EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for each in (run, sidecar, wait, env, status, leave):
        each.add_to(commands)
    return parser, list(commands.choices.values())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; `run` of the answer is what is to be called with it.

    Raises:
        SystemExit: wrong usage (2), or help was asked for (0).
    """
    own, trainer = _split(arguments)
    parser, commands = _parsers()
    for mistake in mistaken_variables(os.environ, commands):
        sys.stderr.write(f"kube-rendezvous: {mistake}\n")
    options = parser.parse_args(own)
    if trainer is not None and options.run is not run.run:
        parser.error("only `run` takes a command after --")
    options.trainer = trainer or []
    if options.run is run.run and not options.trainer:
        parser.error("run: write the command to run after --, for example: -- python train.py")
    return options


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What stands before and after the first ``--``: the options of the trainer are none of ours."""
    arguments = list(arguments)
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]
