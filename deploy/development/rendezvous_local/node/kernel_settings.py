"""The kernel settings that the node changes, and their way back."""

import json
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.machine_commands import run_quietly

# What a node of bridged pods needs.
WANTED = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "fs.inotify.max_user_instances": "1024",
}
# What the kubelet sets by itself at its start.
SET_BY_KUBELET = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
MODULES = ("overlay", "br_netfilter", "nf_conntrack")
SYSCTLS = Path("/proc/sys")


def load_modules() -> None:
    """Loads the kernel modules of a node; they stay loaded. A kernel that has them built in refuses, which is fine."""
    for module in MODULES:
        run_quietly(["modprobe", module])


def save(file: Path, sysctls: Path = SYSCTLS) -> None:
    """Writes the present values of all settings that will change to ``file``."""
    values = {name: read(name, sysctls) for name in (*WANTED, *SET_BY_KUBELET)}
    file.write_text(json.dumps(values, indent=2))


def apply(sysctls: Path = SYSCTLS) -> None:
    """Sets what the node needs; a limit that is higher already stays.

    Raises:
        LocalControlPlaneError: The kernel refuses, or does not know a setting.
    """
    for name, value in WANTED.items():
        present = read(name, sysctls)
        if present is not None and present.isdigit() and int(present) >= int(value):
            continue
        try:
            _path(name, sysctls).write_text(value)
        except OSError as error:
            raise LocalControlPlaneError(
                f"cannot set the kernel setting {name} to {value}: {error.strerror}. The node needs root, and a kernel"
                " with the modules overlay and br_netfilter"
            ) from error


def restore(file: Path, sysctls: Path = SYSCTLS) -> None:
    """Sets everything back to what ``save`` has written to ``file``; does nothing when it was not called."""
    if not file.exists():
        return
    for name, value in json.loads(file.read_text()).items():
        if value is not None and read(name, sysctls) != value:
            _path(name, sysctls).write_text(value)


def read(name: str, sysctls: Path = SYSCTLS) -> str | None:
    """The present value of a setting; ``None`` when the kernel does not have it."""
    try:
        return _path(name, sysctls).read_text().strip()
    except OSError:
        return None


def _path(name: str, sysctls: Path) -> Path:
    return sysctls / name.replace(".", "/")
