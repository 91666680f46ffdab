"""Takes back everything that a node did to the machine, whether it was stopped or killed."""

import os
import shutil
from pathlib import Path

from rendezvous_local.node import control_groups, kernel_settings, network
from rendezvous_local.node.layout import NETWORK_NAME
from rendezvous_local.node.mounts import unmount_below
from rendezvous_local.node.orphans import kill_processes_of
from rendezvous_local.node.state_folder import LOCK
from rendezvous_local.node.what_was_before import FOREIGN_FOLDERS, SHIM_SOCKETS, Before, read_before

BEFORE = "before.json"
KERNEL_SETTINGS = "kernel-settings.json"
NETWORK_RECORDS = (Path("/var/lib/cni/results"), Path("/var/lib/cni/cache"))
LOG_LINKS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
UNIX_SOCKETS = Path("/proc/net/unix")
DEVICE_PLUGIN_FILES = ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION")


def clean_up(root: Path, *, keep_folder: bool = False) -> list[str]:
    """Takes back everything that the node with folder ``root`` did. The caller owns the folder.

    Without the record of what was there before (a node that never began to change anything) only the folder goes.

    Args:
        root: The node's folder.
        keep_folder: Leave the empty folder with its lock, for a node that starts now.

    Returns:
        What could not be taken back. The folder stays then, so that the next call can try again.
    """
    before = read_before(root / BEFORE)
    problems: list[str] = []
    if before is not None:
        problems += kill_processes_of(root)
        problems += control_groups.remove_pod_groups()
    problems += unmount_below(root)
    if before is not None:
        network.take_down()
        _remove_network_records(root)
        _remove_log_links(root)
        _remove_foreign_folders(before)
        kernel_settings.restore(root / KERNEL_SETTINGS)
    if not problems:  # never before: removing would reach through a mount
        _remove_contents(root)
        if not keep_folder:
            (root / LOCK).unlink(missing_ok=True)
            root.rmdir()
    return problems


def _remove_network_records(root: Path) -> None:
    for folder in NETWORK_RECORDS:
        for record in folder.glob("*"):
            # Ours by name, or a pod's loopback interface, which has no name of ours but a namespace below our folder.
            if record.name.startswith(f"{NETWORK_NAME}-") or (
                record.name.startswith("cni-loopback-") and f"{root}/" in record.read_text(errors="replace")
            ):
                record.unlink(missing_ok=True)


def _remove_log_links(root: Path) -> None:
    for link in LOG_LINKS.glob("*.log"):
        if link.is_symlink() and os.readlink(link).startswith(f"{root}/"):
            link.unlink(missing_ok=True)


def _remove_foreign_folders(before: Before) -> None:
    in_use = UNIX_SOCKETS.read_text()
    for socket in SHIM_SOCKETS.glob("*"):
        if socket.name not in before.shim_sockets and str(socket) not in in_use:
            socket.unlink(missing_ok=True)
    if str(DEVICE_PLUGINS) not in before.folders:
        for name in DEVICE_PLUGIN_FILES:
            (DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for folder in reversed(FOREIGN_FOLDERS):
        if str(folder) not in before.folders:
            try:
                folder.rmdir()
            except OSError:  # not there, or somebody else uses it by now
                continue


def _remove_contents(root: Path) -> None:
    """Empties the folder but for the lock, the record of what was before last: a clean-up cut short can be repeated."""
    for entry in root.iterdir():
        if entry.name in (BEFORE, KERNEL_SETTINGS, LOCK):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for name in (KERNEL_SETTINGS, BEFORE):
        (root / name).unlink(missing_ok=True)
