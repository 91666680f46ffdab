"""Where our side is measured: a local control plane, the operator, a namespace."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.pods.pod_objects import PodObjects
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import collection_path
from performance.other_commit import operator_path
from rendezvous_local.cluster import cluster
from rendezvous_local.crds import CRDS
from rendezvous_local.operator_process import OperatorProcess


@dataclass(frozen=True)
class Site:
    """A namespace with an operator that watches it.

    Args:
        kubeconfig: of the cluster.
        connection: with every right.
        namespace: its name.
        pods: its pods.
        api_server: number of its process.
        operator: its process.
    """

    kubeconfig: Path
    connection: Connection
    namespace: str
    pods: PodObjects
    api_server: int
    operator: OperatorProcess

    def clear(self) -> None:
        """Take away what one measurement left, before the operator finds it silent in the midst of the next."""
        self.connection.request("DELETE", collection_path(MEMBER_PLURAL, self.namespace))
        self.pods.delete_all()


@contextmanager
def site(commit: Path | None = None) -> Iterator[Site]:
    """A new local control plane, whatever KUBECONFIG says: nobody else may have a say about our pods there.

    Args:
        commit: folder of another commit's files, whose operator and definitions are to be there; None: ours.
    """
    # One process plays many nodes, that need more connections than one node's pool keeps, and wish for other sizes.
    for name in ("urllib3.connectionpool", "kube_rendezvous.handler"):
        logging.getLogger(name).setLevel(logging.ERROR)
    environment = operator_path(commit)
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster(commit / "crds" if commit else CRDS, environment=_without_kubeconfig()) as running,
        OperatorProcess(running.kubeconfig, log=Path(folder) / "operator.log", environment=environment) as operator,
    ):
        connection = Connection.open(str(running.kubeconfig))
        namespace = f"bench-{int(time.time())}"
        connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        assert running.control_plane is not None
        api_server = running.control_plane.api_server_process
        yield Site(running.kubeconfig, connection, namespace, PodObjects(connection, namespace), api_server, operator)
        connection.close()


def _without_kubeconfig() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
