"""The programs that a node runs, found, built or installed."""

from dataclasses import dataclass
from pathlib import Path

from rendezvous_local import programs
from rendezvous_local.binaries import find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node import system_packages


@dataclass(frozen=True)
class NodePrograms:
    """Where the programs of the node are."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    controller_manager: Path
    scheduler: Path
    kubelet: Path
    proxy: Path
    containerd: Path
    containerd_shim: Path
    ctr: Path
    dns: Path
    pause: Path
    runc: Path
    network_plugins: Path


def find_build_or_install() -> NodePrograms:
    """All programs of the node; says on stderr what it builds and installs.

    Raises:
        LocalControlPlaneError: One is missing and could be neither built nor installed, or we are not root.
    """
    system_packages.require_root()
    system_packages.install_missing(system_packages.FOR_THE_NODE)
    network_plugins = system_packages.network_plugin_folder()
    if network_plugins is None:
        raise LocalControlPlaneError(
            f"no folder of {', '.join(map(str, system_packages.NETWORK_PLUGIN_FOLDERS))} holds the network plug-ins"
            f" {', '.join(system_packages.NEEDED_PLUGINS)}"
        )
    return NodePrograms(
        etcd=find_or_build(programs.ETCD),
        kube_apiserver=find_or_build(programs.KUBE_APISERVER),
        kubectl=find_or_build(programs.KUBECTL),
        controller_manager=find_or_build(programs.KUBE_CONTROLLER_MANAGER),
        scheduler=find_or_build(programs.KUBE_SCHEDULER),
        kubelet=find_or_build(programs.KUBELET),
        proxy=find_or_build(programs.KUBE_PROXY),
        containerd=find_or_build(programs.CONTAINERD_DAEMON),
        containerd_shim=find_or_build(programs.CONTAINERD_SHIM),
        ctr=find_or_build(programs.CTR),
        dns=find_or_build(programs.COREDNS),
        pause=find_or_build(programs.PAUSE),
        runc=system_packages.path_of("runc"),
        network_plugins=network_plugins,
    )
