"""What there is on this machine that a node could leave behind."""

import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from rendezvous_local.node import kernel_settings
from rendezvous_local.node.control_groups import pod_groups
from rendezvous_local.node.layout import root_folder
from rendezvous_local.node.machine_commands import run
from rendezvous_local.node.orphans import PROGRAM_NAMES
from rendezvous_local.node.what_was_before import FOREIGN_FOLDERS


@dataclass(frozen=True)
class Machine:
    """Everything of one moment, as sets of lines to compare."""

    processes: frozenset[str]
    mounts: frozenset[str]
    interfaces: frozenset[str]
    network_namespaces: frozenset[str]
    firewall: frozenset[str]
    control_groups: frozenset[str]
    kernel_settings: frozenset[str]
    folders: frozenset[str]

    def left_since(self, before: "Machine") -> dict[str, list[str]]:
        """What is there now and was not ``before``, by kind; empty when nothing is."""
        added = {
            field.name: sorted(getattr(self, field.name) - getattr(before, field.name)) for field in fields(Machine)
        }
        return {kind: lines for kind, lines in added.items() if lines}


def look() -> Machine:
    """Looks at the machine now."""
    links = run(["ip", "-oneline", "link"]).splitlines()
    settings = (*kernel_settings.WANTED, *kernel_settings.SET_BY_KUBELET)
    return Machine(
        processes=frozenset(_processes()),
        mounts=frozenset(line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()),
        interfaces=frozenset(line.split(": ")[1] for line in links),
        network_namespaces=frozenset(_network_namespaces()),
        firewall=frozenset(_without_counters(run(["nft", "list", "ruleset"])).splitlines()),
        control_groups=frozenset(map(str, pod_groups())),
        kernel_settings=frozenset(f"{name} = {kernel_settings.read(name)}" for name in settings),
        folders=frozenset(str(path) for path in (root_folder(), *FOREIGN_FOLDERS) if path.exists()),
    )


def _processes() -> list[str]:
    """Programs of nodes and of their pods. Others come and go on any machine."""
    listing = subprocess.run(["ps", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True, timeout=30)
    found = []
    for line in listing.stdout.splitlines():
        number, state, *arguments = line.split()
        program = Path(arguments[0]).name if arguments else ""
        ours = str(root_folder()) in line or program == "pause" or "a pod of the test" in line
        if not state.startswith("Z") and ours and (program in PROGRAM_NAMES or program in ("pause", "python")):
            found.append(f"{number} {' '.join(arguments)}")
    return found


def _network_namespaces() -> list[str]:
    return [line.split()[0] for line in run(["lsns", "--type=net", "--noheadings", "--output=NS"]).splitlines()]


def _without_counters(ruleset: str) -> str:
    return re.sub(r"counter packets \d+ bytes \d+", "counter", ruleset)
