"""The command line `kube-rendezvous`: everything that is not torchrun takes part with it.

One subcommand a file. Nothing heavy is imported before a subcommand needs it: `kube-rendezvous wait` is a probe that a
kubelet starts every other second.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None: the process's own.

    Returns:
        The exit status; `kube_rendezvous.exit_statuses` explains them.
    """
    from kube_rendezvous.command.parser import parse

    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:  # `run` and `sidecar` hear it themselves once there is something to clean up
        return 128 + 2
    return status
