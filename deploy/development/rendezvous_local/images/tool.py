"""The tool that builds images: buildah, podman or docker, whichever is there."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.machine_commands import run_quietly, search_path

TOOLS = ("buildah", "podman", "docker")


@dataclass(frozen=True)
class BuildTool:
    """One of ``TOOLS``, and where it keeps images.

    Attributes:
        name: Which one.
        storage: Configuration of its storage (buildah, podman); ``None`` for the storage of the user.
    """

    name: str
    storage: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What to add to its environment."""
        if self.name == "docker":
            return {"DOCKER_BUILDKIT": "1"}  # the old builder knows no secrets
        return {"CONTAINERS_STORAGE_CONF": str(self.storage)} if self.storage else {}

    def build(self, request: "BuildRequest") -> list[str]:
        """The command line that builds an image."""
        start = {
            "buildah": ["buildah", "build", "--layers"],
            "podman": ["podman", "build"],
            "docker": ["docker", "build"],
        }
        command = [*start[self.name], f"--file={request.dockerfile}", f"--tag={request.name}"]
        if self.name != "docker":
            # In the host's network and without a runtime: that works in a container and in a virtual machine as well.
            command += [
                "--isolation=chroot",
                "--network=host",
                f"--pull={'never' if request.local_base else 'missing'}",
            ]
        command += [f"--build-arg={name}={value}" for name, value in request.arguments.items()]
        command += [f"--secret=id={name},src={file}" for name, file in request.secrets.items()]
        return [*command, str(request.context)]

    def load(self, archive: Path) -> list[str]:
        """The command line that takes an image out of ``archive``."""
        if self.name == "buildah":
            return ["buildah", "pull", "--quiet", f"docker-archive:{archive}"]
        return [self.name, "load", "--quiet", f"--input={archive}"]

    def save(self, name: str, archive: Path) -> list[str]:
        """The command line that writes the image ``name`` to ``archive``, in the format of ``docker save``."""
        if self.name == "buildah":
            return ["buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}"]
        form = ["--format=docker-archive"] if self.name == "podman" else []
        return [self.name, "save", *form, f"--output={archive}", name]


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        name: The image's name with tag.
        dockerfile: What describes it.
        context: Folder that the Dockerfile copies from.
        local_base: Its base image is in the tool's storage already, and in no registry.
        arguments: Values for the Dockerfile's ``ARG`` lines.
        secrets: Files lent to the build, by identifier.
    """

    name: str
    dockerfile: Path
    context: Path
    local_base: bool
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)


def choose_tool(wanted: str = "", *, storage: Path | None = None) -> BuildTool:
    """The tool ``wanted``, or the first of ``TOOLS`` that works here.

    Args:
        wanted: Its name; empty for any.
        storage: Configuration of a storage for buildah or podman; docker has its own.

    Raises:
        LocalControlPlaneError: It is missing, or there is none.
    """
    if wanted and wanted not in TOOLS:
        raise LocalControlPlaneError(f"IMAGE_TOOL={wanted}: it is one of {', '.join(TOOLS)}")
    for name in (wanted,) if wanted else TOOLS:
        if shutil.which(name, path=search_path()) is None:
            continue
        # A docker command is often there without anybody who listens to it.
        if name == "docker" and not run_quietly(["docker", "version"]):
            continue
        return BuildTool(name, None if name == "docker" else storage)
    said = f"{wanted} is missing here, or has no server" if wanted else f"none of {', '.join(TOOLS)} works here"
    raise LocalControlPlaneError(f"{said}. Install one, as by `apt-get install buildah`, or name another: IMAGE_TOOL=…")


def storage_configuration(folder: Path, run_folder: Path) -> Path:
    """Writes the configuration of a storage of our own below ``folder``, so that the user's stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "storage.conf"
    lines = ["[storage]", 'driver = "overlay"', f'graphroot = "{folder / "images"}"', f'runroot = "{run_folder}"', ""]
    file.write_text("\n".join(lines))
    return file


def path_for_tools() -> dict[str, str]:
    """The environment for a tool: ours, with the system's folders on the PATH."""
    return {**os.environ, "PATH": search_path()}
