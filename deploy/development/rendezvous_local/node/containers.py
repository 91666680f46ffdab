"""The containers of pods as this machine sees them: processes."""

import json
import os
import signal
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.command_lines import CommandLines
from rendezvous_local.node.machine_commands import run

CONTAINERD_PREFIX = "containerd://"


class Containers:
    """Finds the processes of containers, to do to them what happens to programs on a real node.

    Args:
        commands: Command lines of the running node.
        kubeconfig: An administrator's.
    """

    def __init__(self, commands: CommandLines, kubeconfig: Path) -> None:
        self._commands = commands
        self._kubeconfig = kubeconfig

    def process_number(self, namespace: str, pod: str, container: str | None = None) -> int:
        """Number, on this machine, of the first process of a container.

        Args:
            namespace: The pod's namespace.
            pod: The pod's name.
            container: The container's name, also that of a sidecar; ``None`` for the pod's first container.

        Raises:
            LocalControlPlaneError: There is no such pod, or that container does not run.
        """
        command = [str(self._commands.programs.kubectl), f"--kubeconfig={self._kubeconfig}"]
        answer = json.loads(run([*command, "get", "pod", pod, f"--namespace={namespace}", "-o", "json"]))
        identity = container_id(answer, container)
        for line in run(self._commands.ctr("tasks", "list")).splitlines()[1:]:
            task, number, status = line.split()[:3]
            if task == identity and status == "RUNNING":
                return int(number)
        raise LocalControlPlaneError(f"container {container or 'number one'} of pod {namespace}/{pod} does not run")

    def send(self, number: signal.Signals, namespace: str, pod: str, container: str | None = None) -> None:
        """Sends a signal to the first process of a container; arguments and errors as of ``process_number``."""
        os.kill(self.process_number(namespace, pod, container), number)

    def kill(self, namespace: str, pod: str, container: str | None = None) -> None:
        """Ends a container with SIGKILL, as the kernel does when memory runs out."""
        self.send(signal.SIGKILL, namespace, pod, container)


def container_id(pod: dict[str, object], container: str | None) -> str:
    """containerd's identifier of a container.

    Args:
        pod: The Pod object.
        container: Name of the container; ``None`` for the first one that is no init container.

    Raises:
        LocalControlPlaneError: The pod has no such container, or it never ran.
    """
    status = pod["status"]
    assert isinstance(status, dict)
    mains, others = status.get("containerStatuses", []), status.get("initContainerStatuses", [])
    if container is None:
        spec = pod["spec"]
        assert isinstance(spec, dict)
        container = spec["containers"][0]["name"]
    found = next((entry for entry in (*mains, *others) if entry["name"] == container), None)
    if found is None or not found.get("containerID"):
        raise LocalControlPlaneError(f"the pod has no container {container!r} that has been started")
    return str(found["containerID"]).removeprefix(CONTAINERD_PREFIX)
