"""The cluster that tests and the demo run on: the reader's own, or a new local one."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.binaries import find_or_build
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.feature_gates import api_server_flags, named_gates
from rendezvous_local.programs import KUBECTL


@dataclass(frozen=True)
class Cluster:
    """A cluster with the CustomResourceDefinitions applied.

    Attributes:
        kubeconfig: File whose current context leads to it.
        kubectl: A kubectl that can talk to it.
        control_plane: What runs it, to take parts of it away; ``None`` for the reader's own cluster.
    """

    kubeconfig: Path
    kubectl: Path
    control_plane: ControlPlane | None


@contextmanager
def cluster(crds: Path = CRDS, environment: Mapping[str, str] = os.environ) -> Iterator[Cluster]:
    """The cluster of ``KUBECONFIG`` if that is set, else a local control plane that ends with the ``with`` block.

    ``GATES=newest`` switches on that one's newest feature gates.

    The definitions in ``crds`` are applied to either; on the reader's own cluster they stay.

    Raises:
        LocalControlPlaneError: ``KUBECONFIG`` is no single file, a program is missing, the control plane did not start
            or the definitions were refused.
    """
    own = environment.get("KUBECONFIG")
    if own:
        kubeconfig = _single_file(own)
        apply_crds(kubeconfig, crds)
        yield Cluster(kubeconfig, _own_kubectl(environment), None)
        return
    with ControlPlane(api_server_flags=api_server_flags(named_gates(environment))) as control_plane:
        apply_crds(control_plane.kubeconfig, crds)
        yield Cluster(control_plane.kubeconfig, control_plane.kubectl, control_plane)


def _single_file(value: str) -> Path:
    file = Path(value).expanduser()
    if not file.is_file():
        several = os.pathsep in value
        raise LocalControlPlaneError(
            f"KUBECONFIG={value} names {'several files' if several else 'no file'}."
            " Unset it to run on a new local control plane, or set it to one file"
            + (": `kubectl config view --raw --flatten >one.kubeconfig` makes one of them" if several else "")
        )
    return file.absolute()


def _own_kubectl(environment: Mapping[str, str]) -> Path:
    """The reader's kubectl fits the reader's cluster best; ours is built only if there is none."""
    on_path = shutil.which("kubectl", path=environment.get("PATH"))
    return Path(on_path) if on_path else find_or_build(KUBECTL, environment)
