"""The command line of torchrun, as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rendezvous_local.cluster import Cluster

LIMIT_SECONDS = 60.0


def environment(cluster: Cluster, **more: str) -> Mapping[str, str]:
    """What torchrun finds in its environment: nothing that another test, or a user of this machine, has set."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("PET_", "TORCHELASTIC_"))}
    return {**ours, "KUBECONFIG": str(cluster.kubeconfig), "OMP_NUM_THREADS": "1", **more}


def torchrun(
    arguments: Sequence[str], script: Path, variables: Mapping[str, str], *script_arguments: str
) -> "subprocess.Popen[str]":
    """Start it; what it and its workers write is read by `communicate`."""
    command = [sys.executable, "-m", "torch.distributed.run", *arguments, str(script), *script_arguments]
    return subprocess.Popen(command, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
