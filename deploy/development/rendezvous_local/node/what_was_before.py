"""What of the things that a node changes was on the machine before: those are never removed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node import control_groups
from rendezvous_local.node.layout import BRIDGE

# Outside of our folder, and not ours to choose: the network library's cache, the kubelet's links to logs and its
# sockets for device plug-ins, the sockets of containerd's shims. Parents come first.
FOREIGN_FOLDERS = tuple(
    Path(name)
    for name in (
        "/var/lib/cni",
        "/var/lib/cni/results",
        "/var/lib/cni/cache",
        "/var/log/containers",
        "/var/lib/kubelet",
        "/var/lib/kubelet/device-plugins",
        "/run/containerd",
        "/run/containerd/s",
    )
)
SHIM_SOCKETS = Path("/run/containerd/s")


@dataclass(frozen=True)
class Before:
    """What was there before.

    Attributes:
        folders: Those of ``FOREIGN_FOLDERS`` that were there.
        shim_sockets: Sockets of the shims of somebody else's containerd.
    """

    folders: tuple[str, ...]
    shim_sockets: tuple[str, ...]

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=2))


def look_around() -> Before:
    """Looks at the machine.

    Raises:
        LocalControlPlaneError: Another Kubernetes runs here, or a bridge has our name: a clean-up could hit them.
    """
    pods = control_groups.pod_groups()
    if pods:
        raise LocalControlPlaneError(
            f"another kubelet runs on this machine, or ran and left {pods[0]}. Two do not go together: use that cluster"
            " (set KUBECONFIG), stop it, or, if it is gone, remove that control group with rmdir"
        )
    if Path("/sys/class/net", BRIDGE).exists():
        raise LocalControlPlaneError(
            f"there is a network interface {BRIDGE} that this node did not make. If nobody needs it:"
            f" ip link delete {BRIDGE}"
        )
    sockets = sorted(path.name for path in SHIM_SOCKETS.glob("*")) if SHIM_SOCKETS.is_dir() else []
    return Before(tuple(str(folder) for folder in FOREIGN_FOLDERS if folder.exists()), tuple(sockets))


def read_before(file: Path) -> Before | None:
    """What ``Before.write`` has written to ``file``; ``None`` when it was not called or was cut short."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return Before(tuple(content["folders"]), tuple(content["shim_sockets"]))
