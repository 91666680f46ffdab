"""Somebody who types what a page of the documentation says into a shell, and expects each command to succeed."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from e2e.example_overlay import torch_from_a_volume
from e2e.site import Site

COMMAND_SECONDS = 400.0
SYSTEM = (Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin"))
KEPT = ("PIP_", "SSL_")  # where this machine gets packages from


@dataclass(frozen=True)
class Reader:
    """A shell with kubectl and helm, a cluster, a namespace; nothing of this checkout or of who runs the tests.

    Args:
        environment: of each command.
    """

    environment: Mapping[str, str]

    def who_has(self, *folders: Path) -> "Reader":
        """The same with more programs on the PATH."""
        path = os.pathsep.join([self.environment["PATH"], *map(str, folders)])
        return replace(self, environment={**self.environment, "PATH": path})

    def types(self, lines: Iterable[str], folder: Path) -> str:
        """Type each line there, as it stands; return what the terminal shows in the end.

        Raises:
            AssertionError: a command failed; with all that the terminal shows until then.
        """
        shown = ""
        for line in lines:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
            shown += f"$ {line}\n{done.stdout}{done.stderr}"
            assert done.returncode == 0, shown
        return shown


def reader_of(site: Site, namespace: str, home: Path) -> Reader:
    """A reader with that namespace of the cluster.

    Args:
        home: an empty folder, their home.
    """
    programs = home / "bin"
    programs.mkdir()
    for name, program in (("kubectl", site.kubectl), ("helm", site.helm)):
        (programs / name).symlink_to(program)
    config = yaml.safe_load(site.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT) or name == "LANG"}
    path = os.pathsep.join(map(str, (programs, *SYSTEM)))
    return Reader({**kept, "PATH": path, "KUBECONFIG": str(kubeconfig), "HOME": str(home), "KUBERC": "off"})


def mount_torch(kustomization: Path) -> None:
    """The one thing that differs from the pages: the trainer's image here holds no torch, because that is 5 GB."""
    content = yaml.safe_load(kustomization.read_text())
    content["patches"] = [
        {"target": {"kind": patch.kind}, "patch": json.dumps(list(patch.operations))}
        for patch in torch_from_a_volume()
        if patch.kind == "Job"
    ]
    kustomization.write_text(yaml.safe_dump(content))
