"""The programs of a running node: each can be stopped and started by itself."""

from collections.abc import Mapping

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.command_lines import CommandLines
from rendezvous_local.node.machine_commands import search_path
from rendezvous_local.processes import ChildProcess

# In the order of their start; they are stopped in the opposite order.
CONTAINERD = "containerd"
ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KUBELET = "kubelet"
PROXY = "kube-proxy"
DNS = "coredns"


class Parts:
    """The programs of one node, with their logs in its folder.

    Args:
        commands: Their command lines.
    """

    def __init__(self, commands: CommandLines) -> None:
        folders = commands.folders
        # containerd looks for its shim on the PATH, the shim for runc, the kubelet for mount.
        environment = {"PATH": search_path(commands.programs.containerd_shim.parent), "HOME": "/root"}
        lines: Mapping[str, list[str]] = {
            CONTAINERD: commands.containerd(),
            ETCD: commands.etcd(),
            API_SERVER: commands.api_server(),
            CONTROLLER_MANAGER: commands.controller_manager(),
            SCHEDULER: commands.scheduler(),
            KUBELET: commands.kubelet(),
            PROXY: commands.proxy(),
            DNS: commands.dns(),
        }
        self._processes = {
            name: ChildProcess(
                name, line, log=folders.logs / f"{name}.log", environment=environment, folder=folders.root
            )
            for name, line in lines.items()
        }

    def __getitem__(self, name: str) -> ChildProcess:
        """The program ``name``, to stop, kill, pause or start it.

        Raises:
            LocalControlPlaneError: The node has no such part.
        """
        try:
            return self._processes[name]
        except KeyError:
            raise LocalControlPlaneError(f"a node has no part {name!r}; it has {', '.join(self._processes)}") from None

    @property
    def all(self) -> list[ChildProcess]:
        """All programs, in the order of their start."""
        return list(self._processes.values())

    def start(self, *names: str) -> None:
        """Starts the programs ``names``."""
        for name in names:
            self[name].start()

    def kill_all(self) -> None:
        """Ends all programs at once: nothing that they hold is needed any more, and what they leave is cleaned up."""
        for process in reversed(self.all):
            process.kill()
