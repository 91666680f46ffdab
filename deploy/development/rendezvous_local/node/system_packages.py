"""What the node takes from the system, and its installation where that can be done."""

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.binaries import cache_folder, only_one_makes
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.machine_commands import run, search_path
from rendezvous_local.progress import Progress

NETWORK_PLUGINS = "network plug-ins"
NETWORK_PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
NEEDED_PLUGINS = ("bridge", "host-local", "loopback")
INSTALL_SECONDS = 600.0


@dataclass(frozen=True)
class SystemProgram:
    """A program of the system and the Debian package that brings it."""

    name: str
    package: str


FOR_THE_NODE = (
    SystemProgram("runc", "runc"),
    SystemProgram(NETWORK_PLUGINS, "containernetworking-plugins"),
    SystemProgram("nft", "nftables"),
    SystemProgram("ip", "iproute2"),
    SystemProgram("mount", "mount"),
    SystemProgram("openssl", "openssl"),
)
FOR_PAGES = (SystemProgram("chromium", "chromium"), SystemProgram("chromedriver", "chromium-driver"))
FOR_IMAGES = (SystemProgram("buildah", "buildah"), SystemProgram("debootstrap", "debootstrap"))


def require_root() -> None:
    """Raises ``LocalControlPlaneError`` unless this is root on Linux."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise LocalControlPlaneError(
            "a node needs root on Linux: it makes a bridge, mounts, cgroups and firewall rules. Run it with sudo, or"
            " use a cluster of your own by KUBECONFIG; `make test` and `make demo` need neither"
        )


def install_missing(programs: Iterable[SystemProgram]) -> None:
    """Installs the packages of those ``programs`` that are missing, and says which.

    Raises:
        LocalControlPlaneError: There is no apt-get here, or it failed.
    """
    programs = tuple(programs)
    if all(is_there(program) for program in programs):
        return
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with only_one_makes(folder / "system-packages"):  # apt-get waits for no other one
        _install([program for program in programs if not is_there(program)])


def _install(missing: list[SystemProgram]) -> None:
    if not missing:
        return
    packages = [program.package for program in missing]
    if shutil.which("apt-get", path=search_path()) is None:
        raise LocalControlPlaneError(
            f"missing: {', '.join(program.name for program in missing)}, and there is no apt-get to install them with."
            f" On Debian they are the packages {' '.join(packages)}; install what brings them on this system"
        )
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    unattended = {"DEBIAN_FRONTEND": "noninteractive"}
    with Progress(f"installing the packages {' '.join(packages)}"):
        run(["apt-get", "update"], seconds=INSTALL_SECONDS, environment=unattended)
        run(command, seconds=INSTALL_SECONDS, environment=unattended)


def is_there(program: SystemProgram) -> bool:
    """Whether the system has ``program`` already."""
    if program.name == NETWORK_PLUGINS:
        return network_plugin_folder() is not None
    return shutil.which(program.name, path=search_path()) is not None


def path_of(name: str) -> Path:
    """Where the system's program ``name`` is.

    Raises:
        LocalControlPlaneError: It is missing.
    """
    found = shutil.which(name, path=search_path())
    if found is None:
        raise LocalControlPlaneError(f"the program {name} is missing on this system")
    return Path(found)


def network_plugin_folder() -> Path | None:
    """The folder that holds all network plug-ins that pods need; ``None`` when there is none."""
    complete = (
        folder
        for folder in NETWORK_PLUGIN_FOLDERS
        if all(os.access(folder / plugin, os.X_OK) for plugin in NEEDED_PLUGINS)
    )
    return next(complete, None)
