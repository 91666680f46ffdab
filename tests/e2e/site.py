"""The cluster under test: a node of this machine, or the reader's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from rendezvous_local.node.node import Node


class Machine(Protocol):
    """What can be done to a node of this machine."""

    def stop_kubelet(self) -> None: ...
    def start_kubelet(self) -> None: ...
    def kill_api_server(self) -> None: ...
    def start_api_server(self) -> None: ...


@dataclass(frozen=True)
class Images:
    """What to run. The trainer's has torch and JAX, or finds them in `/opt/torch`; None: there is none."""

    operator: str
    client: str
    trainer: str | None


@dataclass(frozen=True)
class Site:
    """A cluster.

    Args:
        kubeconfig, kubectl, helm: how to reach it.
        machine, node: the node, if it runs on this machine; the first is what tests may do to it.
        torch: folder of the node that pods mount for torch and JAX; None: the trainer's image has them.
    """

    kubeconfig: Path
    kubectl: Path
    helm: Path
    images: Images
    machine: Machine | None
    node: Node | None
    torch: Path | None
    image_megabytes: Mapping[str, float]

    def needs_this_machine(self) -> Machine:
        """The node, for tests that kill processes; skips the test on a cluster elsewhere."""
        if self.machine is None:
            pytest.skip("kills processes of the node, so it needs the node on this machine: unset KUBECONFIG")
        return self.machine
