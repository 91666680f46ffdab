"""The variables in which a trainer finds its place, and how they are written for a shell. No I/O.

Names and meanings are torchrun's with one process a node, so that what runs under torchrun runs here; those that begin
with JAX are what `jax.distributed` reads (JAX_COORDINATOR_ADDRESS) and what `kube_rendezvous.jax_cluster` adds to it.
"""

import re
import shlex
from collections.abc import Mapping

from kube_rendezvous.standing_round import StandingRound

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def environment_of(standing: StandingRound) -> dict[str, str]:
    """The variables for the one trainer process of this node."""
    rank, world = str(standing.rank), str(standing.world_size)
    return {
        "RANK": rank,
        "WORLD_SIZE": world,
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "GROUP_RANK": rank,
        "GROUP_WORLD_SIZE": world,
        "MASTER_ADDR": standing.master_addr,
        "MASTER_PORT": str(standing.master_port),
        "JAX_COORDINATOR_ADDRESS": standing.master,
        "JAX_NUM_PROCESSES": world,
        "JAX_PROCESS_ID": rank,
        "RENDEZVOUS_NAME": standing.name,
        "RENDEZVOUS_NAMESPACE": standing.namespace,
        "RENDEZVOUS_ROUND": str(standing.number),
    }


def shell_lines(variables: Mapping[str, str], *, export: bool = False) -> str:
    """``NAME=value`` lines that a POSIX shell reads back exactly, and that can do nothing else.

    Control characters, line breaks among them, become spaces: other readers of such files (docker, systemd) know no
    quoting that would hold them.

    Args:
        variables: by name.
        export: write ``export NAME=value``.

    Raises:
        ValueError: a name is none.
    """
    lines = []
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a variable")
        lines.append(f"{'export ' if export else ''}{name}={shlex.quote(_CONTROL.sub(' ', value))}\n")
    return "".join(lines)
