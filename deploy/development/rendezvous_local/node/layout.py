"""Where everything of the node is: its folder, its names, its addresses and its ports."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

DEFAULT_ROOT = Path("/var/lib/kube-rendezvous-node")
NODE_NAME = "local-node"
BRIDGE = "rdzv0"
NETWORK_NAME = "kube-rendezvous-node"  # of the pods' network (CNI), and of our nftables table
CLUSTER_DOMAIN = "cluster.local"


def root_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The node's folder: ``KUBE_RENDEZVOUS_NODE_DIR``, else ``/var/lib/kube-rendezvous-node``."""
    own = environment.get("KUBE_RENDEZVOUS_NODE_DIR")
    return Path(own).expanduser().absolute() if own else DEFAULT_ROOT


@dataclass(frozen=True)
class Folders:
    """Everything that the node writes lies below ``root``, as far as the programs let us choose."""

    root: Path

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def kubeconfigs(self) -> Path:
        return self.root / "kubeconfigs"

    @property
    def configuration(self) -> Path:
        return self.root / "configuration"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.root / "pod-logs"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def network(self) -> Path:
        return self.root / "network"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "containerd.sock"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.kubeconfigs / "admin"

    def make(self) -> None:
        """Makes the folders that the programs expect to be there."""
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)  # pods of other users walk through it to their volumes
        for folder in (self.certificates, self.kubeconfigs, self.configuration, self.logs, self.etcd):
            folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.pod_logs, self.kubelet, self.network, self.containerd):
            folder.mkdir(mode=0o755, exist_ok=True)


@dataclass(frozen=True)
class Addresses:
    """The networks of pods and Services, and what is derived from them.

    Attributes:
        pods: Network of the pods; its first address is the bridge's, the node's and the API server's.
        services: Network of the Services; its first address is that of the Service ``kubernetes``.
    """

    pods: IPv4Network
    services: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        return self.pods[1]

    @property
    def kubernetes_service(self) -> IPv4Address:
        return self.services[1]

    @property
    def dns_service(self) -> IPv4Address:
        return self.services[10]


@dataclass(frozen=True)
class Ports:
    """Where the programs listen; chosen anew at each start among those that are free."""

    api_server: int
    etcd: int
    controller_manager: int
    scheduler: int
    kubelet: int
    kubelet_health: int
    proxy_health: int
    proxy_metrics: int
    dns: int
