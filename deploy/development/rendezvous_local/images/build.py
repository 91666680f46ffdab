"""Builds the project's images."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.package_index import build_secrets
from rendezvous_local.images.tool import BuildRequest, BuildTool, path_for_tools
from rendezvous_local.processes import ChildProcess
from rendezvous_local.progress import Progress

REPOSITORY = Path(__file__).resolve().parents[4]
CONTEXT = ("pyproject.toml", "README.md", "LICENSE", "client", "operator")  # what .dockerignore lets through
VERSION = re.compile(r'^version = "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Image:
    """One of the project's images.

    Attributes:
        name: Without registry and tag.
        dockerfile: What describes it.
        sources: The checkout that it copies from.
    """

    name: str
    dockerfile: Path
    sources: Path = REPOSITORY


OPERATOR = Image("kube-rendezvous/operator", REPOSITORY / "deploy" / "docker" / "operator.Dockerfile")
CLIENT = Image("kube-rendezvous/client", REPOSITORY / "deploy" / "docker" / "client.Dockerfile")
IMAGES = (OPERATOR, CLIENT)


def project_version(pyproject: Path = REPOSITORY / "pyproject.toml") -> str:
    """The version of the project, which is the images' usual tag."""
    found = VERSION.search(pyproject.read_text())
    if found is None:
        raise LocalControlPlaneError(f'{pyproject} has no line version = "…": it is damaged')
    return found[1]


def fingerprint(image: Image, base: str) -> str:
    """A tag that changes whenever the image would: with the sources, the Dockerfile, or the name of the base.

    It begins with a letter: one of digits alone, or with an e among them, is a number to YAML and to ``helm --set``.
    """
    digest = hashlib.sha256(f"{base}\n".encode())
    digest.update(image.dockerfile.read_bytes())
    for file in _sources(image.sources):
        digest.update(f"{file.relative_to(image.sources)}\n".encode())
        digest.update(file.read_bytes())
    return f"i{digest.hexdigest()[:12]}"


def build_image(
    tool: BuildTool,
    image: Image,
    name: str,
    *,
    base: str = "",
    local_base: bool = False,
    log: Path,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Builds ``image`` as ``name`` and says on stderr how long it takes.

    Args:
        tool: What builds it.
        image: Which.
        name: Its whole name with tag.
        base: The base image; empty for the Dockerfile's own.
        local_base: The base is in the tool's storage and in no registry.
        log: File for the tool's output; it is left when the build fails.
        environment: Of this process.

    Raises:
        LocalControlPlaneError: The tool failed; with the end of its output.
    """
    arguments = {"VERSION": project_version(image.sources / "pyproject.toml"), **({"BASE": base} if base else {})}
    with tempfile.TemporaryDirectory(prefix="kube-rendezvous-image-") as folder:
        secrets = build_secrets(Path(folder), environment)
        request = BuildRequest(name, image.dockerfile, image.sources, local_base, arguments, secrets)
        run_tool(tool, tool.build(request), f"building image {name}", log)


def run_tool(tool: BuildTool, command: list[str], what: str, log: Path) -> None:
    """Runs a command of an image tool, with progress.

    Raises:
        LocalControlPlaneError: It failed; with the end of its output.
    """
    log.unlink(missing_ok=True)
    process = ChildProcess(
        command[0], command, log=log, environment={**path_for_tools(), **tool.environment}, folder=REPOSITORY
    )
    try:
        with Progress(what) as progress:
            process.start()
            while not process.wait(1.0):
                progress.tick()
            if process.exit_code != 0:
                raise LocalControlPlaneError(
                    f"{what} failed: `{' '.join(command)}` (exit status {process.exit_code}). The end of its output"
                    f" (all of it: {log}):\n{process.log_tail(15)}"
                )
        log.unlink(missing_ok=True)
    finally:
        process.stop()


def _sources(repository: Path) -> Iterable[Path]:
    for name in CONTEXT:
        place = repository / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)
