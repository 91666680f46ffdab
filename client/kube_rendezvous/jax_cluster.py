"""Lets ``jax.distributed.initialize()`` find its place without arguments. The only module here that imports jax.

    import jax
    import kube_rendezvous.jax_cluster  # noqa: F401  (importing it is what activates it)

    jax.distributed.initialize()

Works under ``kube-rendezvous run``, which sets the variables, and beside ``kube-rendezvous sidecar``, whose folder
KUBE_RENDEZVOUS_DIR names. Where there is neither, it steps aside, and JAX looks as if it were not there. JAX takes the
first environment that is present; this one puts itself first, because JAX's own for Kubernetes takes every pod for its
own, and asks the API server for Jobs and Services that a trainer has no right to see.

One process a node, with all its devices. JAX catches SIGTERM for its preemption service: a trainer that does not look
at ``multihost_utils.reached_preemption_sync_point`` goes on until the grace of `kube-rendezvous run` is over.
"""

import os
from pathlib import Path
from typing import cast

from jax._src.clusters import ClusterEnv

from kube_rendezvous.round_environment import environment_of
from kube_rendezvous.sidecar.publication import SidecarState
from kube_rendezvous.sidecar.shared_files import SharedFiles

_FOLDER = "KUBE_RENDEZVOUS_DIR"
_NEEDED = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "RENDEZVOUS_ROUND")


class KubeRendezvousCluster(ClusterEnv):
    """See `jax._src.clusters.ClusterEnv`. ``cluster_detection_method="kube-rendezvous"`` asks for it by name."""

    name: str = "kube-rendezvous"

    @classmethod
    def is_env_present(cls) -> bool:
        """Whether there is a round that this process belongs to."""
        return _variables() is not None

    @classmethod
    def get_coordinator_address(cls, timeout_secs: int | None, override_coordinator_port: str | None) -> str:
        """Rank 0's address and port; JAX_COORDINATOR_PORT replaces the port."""
        address = _present()["JAX_COORDINATOR_ADDRESS"]
        if override_coordinator_port:
            return f"{address.rpartition(':')[0]}:{override_coordinator_port}"
        return address

    @classmethod
    def get_process_count(cls) -> int:
        """The world size."""
        return int(_present()["JAX_NUM_PROCESSES"])

    @classmethod
    def get_process_id(cls) -> int:
        """The rank."""
        return int(_present()["JAX_PROCESS_ID"])

    @classmethod
    def get_local_process_id(cls) -> int | None:
        """None: the one process of a node has all its devices."""
        return None


def _variables() -> dict[str, str] | None:
    if all(os.environ.get(name) for name in _NEEDED):
        return dict(os.environ)
    folder = os.environ.get(_FOLDER)
    said = SharedFiles(Path(folder)).read() if folder else None
    if said is None or said.standing is None or said.state is not SidecarState.FORMED:
        return None
    return environment_of(said.standing)


def _present() -> dict[str, str]:
    variables = _variables()
    if variables is None:
        raise RuntimeError(
            f"no round stands here: start this program with `kube-rendezvous run`, or set {_FOLDER} to the folder of "
            "`kube-rendezvous sidecar --dir` and start it when `kube-rendezvous wait` says so"
        )
    return variables


def _put_first() -> None:
    known = cast("list[type]", ClusterEnv._cluster_types)
    known.remove(KubeRendezvousCluster)
    known.insert(0, KubeRendezvousCluster)


_put_first()
